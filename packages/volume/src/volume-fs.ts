/**
 * The `fs` object of a volume: the synchronous functions, and `promises`.
 */
import type { Codec } from './fs-encoding.ts';
import { FsPromises } from './fs-promises.ts';
import { SyncFs } from './fs-sync.ts';
import type { Head } from './head.ts';
import type { OpenFile } from './open-file.ts';

export class VolumeFs<Bytes extends Uint8Array = Uint8Array> extends SyncFs<Bytes> {
  readonly promises: FsPromises<Bytes>;
  readonly #head: Head;

  constructor(head: Head, codec: Codec<Bytes>) {
    super(head, codec);
    this.#head = head;
    this.promises = this.makePromises(head, codec);
  }

  /** Overridden by the `node` entry, whose handles have streams. */
  protected makePromises(head: Head, codec: Codec<Bytes>): FsPromises<Bytes> {
    return new FsPromises({ head, codec, fs: this, file: (fd) => this.fileOf(fd) });
  }

  protected fileOf(fd: number): OpenFile {
    return this.descriptors.get(fd, 'open');
  }

  /** Whether two objects are faces of the same head. */
  belongsTo(head: Head): boolean {
    return this.#head === head;
  }
}
