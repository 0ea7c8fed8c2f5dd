/**
 * One command's use of a volume: open, do, close.
 *
 * A volume is closed whatever happens, so that its lock is released and what was done is committed. When the command failed, a failure
 * of closing is not told: the first one is what the user has to know.
 */

import type { BlockDevice } from '@outwrite/blockdev';
import { type FileDevice, openFileDevice } from '@outwrite/blockdev/node';
import { Volume } from '@outwrite/volume';
import { openVolume } from '@outwrite/volume/node';
import type { Command } from 'commander';
import { EXIT } from './exit-codes.ts';
import { CommandError, UsageError } from './failures.ts';
import { formatSize, parseSize } from './quantities.ts';

const LEAST_CACHE_BYTES = 128 * 1024;

/** A volume with the `fs` object of Node. */
export type CliVolume = Awaited<ReturnType<typeof openVolume>>;

export interface SessionOptions {
  /** Memory for cached blocks, as the user wrote it. */
  readonly cache?: string;
  /** Set to false by `--no-lock`. */
  readonly lock?: boolean;
}

/** The option of commands that only read, for `Command.option`. */
export const LOCK_OPTION = [
  '--no-lock',
  'look also while another process has the volume open, or where no lock can be made; what is shown may then be torn',
] as const;

/** Adds `--cache` to a command that moves much data. */
export function addCacheOption(command: Command): Command {
  return command.option('--cache <size>', 'memory for cached blocks (default: 32M)');
}

/** The option as volumes take it. Throws a `UsageError` for less than a cache of the largest blocks can be. */
export function cacheOf({ cache }: { readonly cache?: string }): { readonly cacheBytes?: number } {
  if (cache === undefined) return {};
  const cacheBytes = parseSize(cache);
  if (cacheBytes < LEAST_CACHE_BYTES) throw new UsageError(`--cache must be at least ${formatSize(LEAST_CACHE_BYTES)}`);
  return { cacheBytes };
}

/** Opens the volume read-only, hands it to `use`, and closes it. */
export function withVolumeToRead<T>(
  file: string,
  options: SessionOptions,
  use: (volume: CliVolume) => T | Promise<T>,
): Promise<T> {
  return withVolume(file, true, options, use);
}

/** Opens the volume for changes, hands it to `use`, and closes it, which commits. */
export function withVolumeToChange<T>(
  file: string,
  options: SessionOptions,
  use: (volume: CliVolume) => T | Promise<T>,
): Promise<T> {
  return withVolume(file, false, options, use);
}

async function withVolume<T>(
  file: string,
  readOnly: boolean,
  options: SessionOptions,
  use: (volume: CliVolume) => T | Promise<T>,
): Promise<T> {
  const volume = await openVolume(file, {
    readOnly,
    ...(options.lock === false ? { lock: false } : {}),
    ...cacheOf(options),
  });
  return await closeAfter(volume, use);
}

/**
 * Hands the file to `verify`, to be read. Its lock is not needed where none can be made, as in a folder of somebody else's; then result or
 * error count only if nobody has changed the file meanwhile. Before it tells that all is well `verify` asks `assertUndisturbed` itself.
 */
export async function verifyFile<T>(file: string, verify: (device: FileDevice) => T | Promise<T>): Promise<T> {
  const device = openFileDevice(file, { readOnly: true, lock: 'or-watch' });
  let result: T;
  try {
    result = await verify(device);
  } catch (error) {
    assertUndisturbed(device);
    throw error;
  }
  assertUndisturbed(device);
  return result;
}

/** Throws a `CommandError` if the file was changed since it was opened. */
export function assertUndisturbed(device: FileDevice): void {
  if (device.isUndisturbed()) return;
  const message = `${device.path} was changed while it was read without a lock; what was found does not count, begin again`;
  throw new CommandError(message, EXIT.locked);
}

/** Opens the volume on `device` read-only, for what looks below files; closes the device when that fails. */
export function openDeviceToRead(device: BlockDevice, options: SessionOptions): Volume {
  try {
    return Volume.open(device, { readOnly: true, ...cacheOf(options) });
  } catch (error) {
    device.closeSync();
    throw error;
  }
}

/** Hands a volume (or whatever is closed) to `use` and closes it afterwards, whatever happens. */
export async function closeAfter<Closable extends { close(): Promise<void> }, Result>(
  volume: Closable,
  use: (volume: Closable) => Result | Promise<Result>,
): Promise<Result> {
  let result: Result;
  try {
    result = await use(volume);
  } catch (error) {
    await volume.close().catch(() => undefined);
    throw error;
  }
  await volume.close();
  return result;
}
