/** `@outwrite/blockdev/node`: devices on files and block devices of the operating system, for Node (and what is compatible with it). */
export { FileDevice, type FileDeviceOptions, openFileDevice } from './node/file-device.ts';
