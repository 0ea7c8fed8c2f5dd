/**
 * `@outwrite/volume/node`: volumes in files and block devices of the operating system, with an `fs` object that returns `Buffer`s and
 * has streams.
 */
import { rmSync } from 'node:fs';
import type { BlockDevice } from '@outwrite/blockdev';
import { openFileDevice } from '@outwrite/blockdev/node';
import { NodeFs } from './node/node-fs.ts';
import { type CreateOptions, createWith, openWith, type Volume, type VolumeOpenOptions } from './volume.ts';

export {
  NodeFileHandle,
  NodeFs,
  NodePromises,
  type ReadStreamOptions,
  type WriteStreamOptions,
} from './node/node-fs.ts';

/** A volume whose `fs` is that of Node. */
export type NodeVolume = Volume<NodeFs>;

export interface CreateVolumeOptions extends CreateOptions {
  /** Replace what the file or block device holds. Otherwise there must be none. */
  readonly overwrite?: boolean | undefined;
}

export interface OpenVolumeOptions extends VolumeOpenOptions {
  /** false: look at a volume that another process may have open and may be changing. Needs `readOnly`. */
  readonly lock?: boolean | undefined;
}

/** New files belong to whoever runs this process, and its umask applies. */
function hostDefaults(): { uid: number; gid: number; umask: number } {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, umask: process.umask() };
}

/** Makes a volume in the file `path`. Throws `EEXIST` when there is one and `overwrite` is not set. */
export function createVolume(path: string, options: CreateVolumeOptions = {}): NodeVolume {
  const { overwrite, ...rest } = options;
  const device = openFileDevice(path, { create: overwrite === true ? true : 'exclusive' });
  try {
    return orClose(device, () => createWith(device, { ...hostDefaults(), ...rest }, (head) => new NodeFs(head)));
  } catch (error) {
    // The file was made for a volume that did not come about.
    if (overwrite !== true) rmSync(path, { force: true });
    throw error;
  }
}

/** Opens the volume in the file or block device `path`. Throws `ENOENT`, `ELOCKED`, `ENOTVOLUME` and what `Volume.open` throws. */
export function openVolume(path: string, options: OpenVolumeOptions = {}): NodeVolume {
  const { lock, ...rest } = options;
  const readOnly = rest.readOnly === true;
  const device = openFileDevice(path, { readOnly, lock: lock ?? true });
  return orClose(device, () => openWith(device, { ...hostDefaults(), ...rest }, (head) => new NodeFs(head)));
}

/** Gives the device back when the volume on it does not come about. */
function orClose<Result>(device: BlockDevice, make: () => Result): Result {
  try {
    return make();
  } catch (error) {
    device.closeSync();
    throw error;
  }
}
