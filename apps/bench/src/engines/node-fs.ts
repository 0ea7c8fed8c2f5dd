/**
 * `node:fs` on whatever file system the folder is on: the disk's own, or tmpfs for the volatile variant.
 *
 * A durable append is a write and an `fdatasync` of the task's own file, by descriptor and callback (the promise variants are slower). Small
 * files are not flushed one by one, which nobody does; the file system is written out at the end of each phase.
 */
import fs from 'node:fs';
import { join } from 'node:path';
import type { AppendOptions, AppendSession, Engine } from '../engine.ts';
import { writeOutFileSystem } from '../file-cache.ts';
import { FsFiles, FsLargeFile, fsShapeOf } from './fs-shape.ts';

class FileAppend implements AppendSession {
  readonly #descriptors: number[];
  readonly #blockBytes: number;

  constructor(folder: string, options: AppendOptions) {
    this.#blockBytes = options.blockBytes;
    this.#descriptors = Array.from({ length: options.taskCount }, (_, task) =>
      fs.openSync(join(folder, `append-${task}.log`), 'a+'),
    );
  }

  appendSync(task: number, block: Uint8Array): void {
    const descriptor = this.#descriptors[task]!;
    fs.writeSync(descriptor, block);
    fs.fdatasyncSync(descriptor);
  }

  append(task: number, block: Uint8Array): Promise<void> {
    const descriptor = this.#descriptors[task]!;
    return new Promise((resolve, reject) => {
      fs.write(descriptor, block, (writeError) => {
        if (writeError !== null) reject(writeError);
        else fs.fdatasync(descriptor, (syncError) => (syncError === null ? resolve() : reject(syncError)));
      });
    });
  }

  readBack(task: number, index: number): Uint8Array {
    const block = Buffer.alloc(this.#blockBytes);
    fs.readSync(this.#descriptors[task]!, block, 0, block.length, index * block.length);
    return block;
  }

  close(): void {
    for (const descriptor of this.#descriptors) fs.closeSync(descriptor);
  }
}

function engine(isDurable: boolean): Engine {
  return {
    version: process.version,
    openAppend: (folder, options) => new FileAppend(folder, options),
    openFiles: (folder) =>
      new FsFiles(fsShapeOf(fs), {
        root: folder,
        commit: () => undefined,
        settle: () => {
          if (isDurable) writeOutFileSystem(folder);
        },
        close: () => undefined,
      }),
    openLargeFile: (folder, options) => {
      const descriptor = fs.openSync(join(folder, 'large.dat'), options.create ? 'w+' : 'r+');
      return new FsLargeFile(fsShapeOf(fs), descriptor, {
        commit: () => fs.fdatasyncSync(descriptor),
        close: () => fs.closeSync(descriptor),
      });
    },
  };
}

export function loadNodeFs(): Engine {
  return engine(true);
}

export function loadNodeFsInMemory(): Engine {
  return engine(false);
}
