/**
 * `memfs`: a file system in the memory of the process, the usual stand-in for `node:fs` in tests. Nothing in it is durable.
 */
import type { Engine } from '../engine.ts';
import { type FsDescriptors, FsFiles, FsLargeFile, type FsShape } from './fs-shape.ts';
import { packageVersion } from './package-version.ts';

export async function loadMemfs(): Promise<Engine> {
  const memfs = await import('memfs');
  const fresh = () => memfs.createFsFromVolume(new memfs.Volume());
  return {
    version: packageVersion('memfs'),
    openFiles: () =>
      new FsFiles(fresh() as unknown as FsShape, {
        root: '',
        commit: () => undefined,
        settle: () => undefined,
        close: () => undefined,
      }),
    openLargeFile: () => {
      const fs = fresh();
      const descriptor = fs.openSync('/large.dat', 'w+');
      return new FsLargeFile(fs as unknown as FsDescriptors, descriptor, {
        commit: () => fs.fdatasyncSync(descriptor),
        close: () => fs.closeSync(descriptor),
      });
    },
  };
}
