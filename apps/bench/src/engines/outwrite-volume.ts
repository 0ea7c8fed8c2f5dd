/**
 * Outwrite's volume: files through its `fs`, in a file on the disk under test.
 *
 * A durable append is a write and a commit of the volume; tasks that wait at the same time share commits. Batches of small files end with a
 * synchronous commit each. Commits by age are off, so that those that are measured are those that the workload makes.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AppendOptions, AppendSession, Engine, FilesOptions } from '../engine.ts';
import { FsFiles, FsLargeFile } from './fs-shape.ts';
import { packageVersion } from './optional-package.ts';

type VolumeModule = typeof import('@outwrite/volume/node');
type Volume = ReturnType<VolumeModule['createVolume']>;

/** What the append workload, which has no budget of its own, gives the cache. */
const APPEND_CACHE_BYTES = 32 * 1024 * 1024;

/** Opens the volume of a folder, or makes it. */
function volumeIn(module: VolumeModule, folder: string, options: FilesOptions): Volume {
  const path = join(folder, 'volume.outwrite');
  const tuning = { cacheBytes: options.cacheBytes, autoCommitMilliseconds: 0 };
  if (existsSync(path)) return module.openVolume(path, tuning);
  return module.createVolume(path, { ...tuning, maxBytes: options.capacityBytes });
}

class VolumeAppend implements AppendSession {
  readonly #volume: Volume;
  readonly #descriptors: number[];
  readonly #blockBytes: number;

  constructor(volume: Volume, options: AppendOptions) {
    this.#volume = volume;
    this.#blockBytes = options.blockBytes;
    this.#descriptors = Array.from({ length: options.taskCount }, (_, task) =>
      volume.fs.openSync(`/append-${task}.log`, 'a+'),
    );
  }

  appendSync(task: number, block: Uint8Array): void {
    this.#volume.fs.writeSync(this.#descriptors[task]!, block);
    this.#volume.commitSync();
  }

  async append(task: number, block: Uint8Array): Promise<void> {
    this.#volume.fs.writeSync(this.#descriptors[task]!, block);
    await this.#volume.commit();
  }

  readBack(task: number, index: number): Uint8Array {
    const block = Buffer.alloc(this.#blockBytes);
    this.#volume.fs.readSync(this.#descriptors[task]!, block, 0, block.length, index * block.length);
    return block;
  }

  async close(): Promise<void> {
    for (const descriptor of this.#descriptors) this.#volume.fs.closeSync(descriptor);
    await this.#volume.close();
  }
}

export async function loadOutwriteVolume(): Promise<Engine> {
  const module = await import('@outwrite/volume/node');
  return {
    version: packageVersion('@outwrite/volume'),
    openAppend: (folder, options) => {
      const { capacityBytes } = options;
      const capacity = capacityBytes === undefined ? {} : { capacityBytes };
      return new VolumeAppend(volumeIn(module, folder, { cacheBytes: APPEND_CACHE_BYTES, ...capacity }), options);
    },
    openFiles: (folder, options) => {
      const volume = volumeIn(module, folder, options);
      return new FsFiles(volume.fs, {
        root: '',
        commit: () => void volume.commitSync(),
        settle: () => undefined,
        close: () => volume.close(),
      });
    },
    openLargeFile: (folder, options) => {
      const volume = volumeIn(module, folder, options);
      const descriptor = volume.fs.openSync('/large.dat', options.create ? 'w+' : 'r+');
      return new FsLargeFile(volume.fs, descriptor, {
        commit: () => void volume.commitSync(),
        close: async () => {
          volume.fs.closeSync(descriptor);
          await volume.close();
        },
      });
    },
  };
}
