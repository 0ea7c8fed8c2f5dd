/**
 * A tree inside a volume. It is read as it is at the time of each call: who walks it does not change it meanwhile.
 */
import type { CliVolume } from '../volume-session.ts';
import { type DirectoryListing, type Entry, entryOfStats, type OpenedFile, type TreeSource } from './tree-source.ts';

class VolumeFile implements OpenedFile {
  readonly #volume: CliVolume;
  readonly #descriptor: number;

  constructor(volume: CliVolume, path: string) {
    this.#volume = volume;
    this.#descriptor = volume.fs.openSync(path, 'r');
  }

  entry(): Entry {
    return entryOfStats(this.#volume.fs.fstatSync(this.#descriptor, { bigint: true }));
  }

  read(position: number, target: Uint8Array): number {
    return this.#volume.fs.readSync(this.#descriptor, target, 0, target.length, position);
  }

  close(): void {
    this.#volume.fs.closeSync(this.#descriptor);
  }
}

class VolumeTree implements TreeSource {
  readonly #volume: CliVolume;
  readonly #root: string;

  constructor(volume: CliVolume, root: string) {
    this.#volume = volume;
    this.#root = root;
  }

  fullPath(path: string): string {
    if (path === '') return this.#root;
    return this.#root === '/' ? `/${path}` : `${this.#root}/${path}`;
  }

  entry(path: string): Entry {
    return entryOfStats(this.#volume.fs.lstatSync(this.fullPath(path), { bigint: true }));
  }

  list(path: string): DirectoryListing {
    return { names: this.#volume.fs.readdirSync(this.fullPath(path)).sort(), unusable: [] };
  }

  linkTarget(path: string): string {
    return this.#volume.fs.readlinkSync(this.fullPath(path));
  }

  open(path: string): OpenedFile {
    return new VolumeFile(this.#volume, this.fullPath(path));
  }
}

/** The tree below the directory `root` (an absolute path) of a volume. */
export function volumeTree(volume: CliVolume, root: string): TreeSource {
  return new VolumeTree(volume, root);
}
