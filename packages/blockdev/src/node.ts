/**
 * `@outwrite/blockdev/node`: devices on files and block devices of the operating system, for Node (and what is
 * compatible with it).
 */
export { FileDevice } from './node/file-device.ts';
export { type FileDeviceOptions, openFileDevice } from './node/open-file-device.ts';
