/**
 * `memfs`: a file system in the memory of the process, the usual stand-in for `node:fs` in tests. Nothing in it is durable.
 */
import type { Engine } from '../engine.ts';
import { type FsDescriptors, FsFiles, FsLargeFile, type FsShape } from './fs-shape.ts';
import { importOptional, packageVersion } from './optional-package.ts';

/** The part of the package that is used here. */
interface MemfsModule {
  readonly Volume: new () => object;
  createFsFromVolume(volume: object): FsShape &
    FsDescriptors & {
      openSync(path: string, flags: string): number;
      fdatasyncSync(descriptor: number): void;
      closeSync(descriptor: number): void;
    };
}

export async function loadMemfs(): Promise<Engine> {
  const memfs = await importOptional<MemfsModule>('memfs');
  const fresh = () => memfs.createFsFromVolume(new memfs.Volume());
  return {
    version: packageVersion('memfs'),
    openFiles: () =>
      new FsFiles(fresh(), {
        root: '',
        commit: () => undefined,
        settle: () => undefined,
        close: () => undefined,
      }),
    openLargeFile: () => {
      const fs = fresh();
      const descriptor = fs.openSync('/large.dat', 'w+');
      return new FsLargeFile(fs, descriptor, {
        commit: () => fs.fdatasyncSync(descriptor),
        close: () => fs.closeSync(descriptor),
      });
    },
  };
}
