/**
 * The content of a simulated device: sparse, growing, and cheap to branch.
 *
 * Pages of 4 KiB hang in nodes of 256 under one list. `fork` copies that list alone; afterwards both sides copy a node
 * or page before they first change it. Every page and node carries the identity of the image that may change it, and a
 * fork gives both sides new identities, so sharing needs no counting. What was never written reads as zeros.
 */
import { assert } from '../assert.ts';
import { SECTOR_BYTES } from '../block-device.ts';

const PAGE_BYTES = 4096;
const NODE_PAGES = 256;

interface ImageNode {
  readonly owner: number;
  readonly pages: (Uint8Array | undefined)[];
  readonly pageOwners: number[];
}

let identities = 0;

export class SparseImage {
  #sizeBytes: number;
  #owner: number = ++identities;
  #nodes: (ImageNode | undefined)[] = [];

  constructor(sizeBytes: number = 0) {
    this.#sizeBytes = sizeBytes;
  }

  /** An image with a copy of `content`, whose length is a multiple of 512. */
  static from(content: Uint8Array): SparseImage {
    const image = new SparseImage(content.length);
    image.write(0, content);
    return image;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Changes the size; what lies beyond a smaller size is forgotten and reads as zeros when the image grows again. */
  resize(sizeBytes: number): void {
    assert(sizeBytes >= 0 && sizeBytes % SECTOR_BYTES === 0, 'an image consists of whole sectors');
    if (sizeBytes < this.#sizeBytes) this.fill(sizeBytes, this.#sizeBytes - sizeBytes, 0);
    this.#sizeBytes = sizeBytes;
  }

  /** An independent image with the same content. */
  fork(): SparseImage {
    const copy = new SparseImage(this.#sizeBytes);
    copy.#nodes = this.#nodes.slice();
    this.#owner = ++identities;
    return copy;
  }

  read(position: number, target: Uint8Array): void {
    assert(position >= 0 && position + target.length <= this.#sizeBytes, 'a read stays within the image');
    for (let done = 0; done < target.length; ) {
      const pageIndex = Math.floor((position + done) / PAGE_BYTES);
      const start = (position + done) % PAGE_BYTES;
      const length = Math.min(target.length - done, PAGE_BYTES - start);
      const page = this.#nodes[Math.floor(pageIndex / NODE_PAGES)]?.pages[pageIndex % NODE_PAGES];
      if (page === undefined) target.fill(0, done, done + length);
      else target.set(page.subarray(start, start + length), done);
      done += length;
    }
  }

  write(position: number, source: Uint8Array): void {
    assert(position >= 0 && position + source.length <= this.#sizeBytes, 'a write stays within the image');
    for (let done = 0; done < source.length; ) {
      const start = (position + done) % PAGE_BYTES;
      const length = Math.min(source.length - done, PAGE_BYTES - start);
      const page = this.#pageForChange(Math.floor((position + done) / PAGE_BYTES));
      page.set(source.subarray(done, done + length), start);
      done += length;
    }
  }

  fill(position: number, lengthBytes: number, value: number): void {
    const end = position + lengthBytes;
    assert(position >= 0 && end <= this.#sizeBytes, 'a fill stays within the image');
    for (let at = position; at < end; ) {
      const pageIndex = Math.floor(at / PAGE_BYTES);
      const start = at % PAGE_BYTES;
      const length = Math.min(end - at, PAGE_BYTES - start);
      const isHole = this.#nodes[Math.floor(pageIndex / NODE_PAGES)]?.pages[pageIndex % NODE_PAGES] === undefined;
      if (!(isHole && value === 0)) this.#pageForChange(pageIndex).fill(value, start, start + length);
      at += length;
    }
  }

  /** Inverts one bit (0 to 7, the lowest first) of the byte at `position`. */
  flipBit(position: number, bit: number): void {
    assert(position >= 0 && position < this.#sizeBytes, 'a flipped bit lies within the image');
    this.#pageForChange(Math.floor(position / PAGE_BYTES))[position % PAGE_BYTES]! ^= 1 << bit;
  }

  /** The whole content in one array. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.#sizeBytes);
    this.read(0, bytes);
    return bytes;
  }

  /** Whether size and content are the same. Shared parts cost nothing. */
  equals(other: SparseImage): boolean {
    if (this.#sizeBytes !== other.#sizeBytes) return false;
    const nodeCount = Math.max(this.#nodes.length, other.#nodes.length);
    for (let nodeIndex = 0; nodeIndex < nodeCount; nodeIndex++) {
      const mine = this.#nodes[nodeIndex];
      const theirs = other.#nodes[nodeIndex];
      if (mine === theirs) continue;
      for (let i = 0; i < NODE_PAGES; i++) {
        if (!samePage(mine?.pages[i], theirs?.pages[i])) return false;
      }
    }
    return true;
  }

  #pageForChange(pageIndex: number): Uint8Array {
    const nodeIndex = Math.floor(pageIndex / NODE_PAGES);
    let node = this.#nodes[nodeIndex];
    if (node === undefined || node.owner !== this.#owner) {
      node = {
        owner: this.#owner,
        pages: node === undefined ? new Array<Uint8Array | undefined>(NODE_PAGES).fill(undefined) : node.pages.slice(),
        pageOwners: node === undefined ? new Array<number>(NODE_PAGES).fill(0) : node.pageOwners.slice(),
      };
      this.#nodes[nodeIndex] = node;
    }
    const slot = pageIndex % NODE_PAGES;
    let page = node.pages[slot];
    if (page === undefined || node.pageOwners[slot] !== this.#owner) {
      page = page === undefined ? new Uint8Array(PAGE_BYTES) : page.slice();
      node.pages[slot] = page;
      node.pageOwners[slot] = this.#owner;
    }
    return page;
  }
}

function samePage(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === b) return true;
  for (let i = 0; i < PAGE_BYTES; i++) {
    if ((a === undefined ? 0 : a[i]) !== (b === undefined ? 0 : b[i])) return false;
  }
  return true;
}
