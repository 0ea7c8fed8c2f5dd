/**
 * The smallest client that uses everything the log offers: registers, each one block of content, under numbers.
 *
 * A register is what a leaf is to the tree: it gets a new block in the first delta that changes it, and a promise says where it is now.
 * Registers belong to nodes (fixed ranges of numbers) and nodes to one root; both follow the rule of index nodes: in memory only until a
 * checkpoint gives them blocks.
 */
import { assert, CorruptionError, getU32, NIL_BLOCK, setU32, xxh32 } from '@outwrite/blockdev';
import type { Frame } from '@outwrite/buffer-cache';
import {
  type AllocLog,
  type BlockPointer,
  type CheckpointWriter,
  type ClientRoot,
  type DeltaSealer,
  decodePointer,
  encodePointer,
  type LogClient,
  nilPointer,
  POINTER_BYTES,
  type Relocator,
  SpaceAudit,
} from '../src/index.ts';

interface Node {
  /** Where the last checkpoint put it. */
  pointer: BlockPointer;
  /** Number of the open epoch, or -1 while the stored state is the present one. */
  provisional: number;
}

export class Registers implements LogClient {
  log!: AllocLog;
  readonly pointers: Map<number, BlockPointer> = new Map();
  #nodes: Node[] = [];
  #root: Node = { pointer: nilPointer(), provisional: -1 };
  #changed: Set<number> = new Set();
  #gone: Set<number> = new Set();

  get perNode(): number {
    return Math.floor(this.log.blockSize / POINTER_BYTES);
  }

  get(id: number): Uint8Array | undefined {
    const pointer = this.pointers.get(id);
    if (pointer === undefined) return undefined;
    return this.log.cache.bytesOf(this.log.cache.read(pointer.block, pointer.checksum, 'register')).slice();
  }

  set(id: number, content: Uint8Array): void {
    assert(id < this.perNode * this.perNode, 'there are so many registers and no more');
    while (!this.log.ensure(1, 2, false));
    const old = this.pointers.get(id);
    const { cache } = this.log;
    let frame: Frame;
    let block: number;
    if (old !== undefined && old.birth === this.log.openDelta) {
      block = old.block;
      frame = cache.find(block);
    } else {
      block = this.log.allocateBlock();
      frame = cache.create(block);
      if (old !== undefined) this.#drop(old);
    }
    cache.bytesOf(frame).fill(0);
    cache.bytesOf(frame).set(content);
    cache.markDirty(frame, this.log.openDelta);
    this.pointers.set(id, { block, checksum: 0, birth: this.log.openDelta });
    this.#changed.add(id);
    this.#touch(id);
  }

  delete(id: number): void {
    while (!this.log.ensure(0, 2, true));
    const old = this.pointers.get(id);
    if (old === undefined) return;
    this.#drop(old);
    if (old.birth !== this.log.openDelta || this.#gone.has(id)) this.#gone.add(id);
    this.pointers.delete(id);
    this.#changed.delete(id);
    this.#gone.add(id);
    this.#touch(id);
  }

  #drop(old: BlockPointer): void {
    const frame = this.log.cache.find(old.block);
    if (frame !== -1) this.log.cache.discard(frame);
    this.log.free(old.block, 1, old.birth);
  }

  /** Puts the node of a register, and the root, into the open epoch. */
  #touch(id: number): void {
    const index = Math.floor(id / this.perNode);
    while (this.#nodes.length <= index) this.#nodes.push({ pointer: nilPointer(), provisional: -1 });
    for (const node of [this.#nodes[index]!, this.#root]) {
      if (node.provisional !== -1) continue;
      node.provisional = this.log.takeProvisional();
      if (node.pointer.block !== NIL_BLOCK) this.log.retire(node.pointer.block);
    }
  }

  // --- LogClient ------------------------------------------------------------------------------------------------------------------

  load(log: AllocLog, root: ClientRoot | null): void {
    this.log = log;
    if (root === null || root.pointer.block === NIL_BLOCK) return;
    this.#root = { pointer: root.pointer, provisional: -1 };
    const nodes = this.#read(root.pointer);
    while (nodes.length > 0 && nodes[nodes.length - 1]!.block === NIL_BLOCK) nodes.pop();
    this.#nodes = nodes.map((pointer) => ({ pointer, provisional: -1 }));
    nodes.forEach((node, nodeIndex) => {
      if (node.block === NIL_BLOCK) return;
      this.#read(node).forEach((pointer, i) => {
        if (pointer.block !== NIL_BLOCK) this.pointers.set(nodeIndex * this.perNode + i, pointer);
      });
    });
  }

  #read(pointer: BlockPointer): BlockPointer[] {
    const bytes = this.log.cache.bytesOf(this.log.cache.read(pointer.block, pointer.checksum, 'node'));
    return Array.from({ length: this.perNode }, (_, i) =>
      decodePointer(bytes, i * POINTER_BYTES, 'node', this.log.blockLimit),
    );
  }

  replayGone(payload: Uint8Array): void {
    const id = getU32(payload, 0);
    if (!this.pointers.delete(id)) throw new CorruptionError('log block', 'a register is gone that was not there');
    this.#touch(id);
  }

  replayAt(payload: Uint8Array, pointer: BlockPointer): void {
    const id = getU32(payload, 0);
    this.pointers.set(id, { ...pointer });
    this.#touch(id);
  }

  relocate(delta: number, relocator: Relocator): void {
    for (const [id, pointer] of this.pointers) {
      if (pointer.birth !== delta) continue;
      this.pointers.set(id, { ...pointer, block: relocator.copyBlock(pointer, 'register') });
      this.#touch(id);
    }
  }

  seal(sealer: DeltaSealer): void {
    const { cache } = this.log;
    const payload = (id: number): Uint8Array => {
      const bytes = new Uint8Array(4);
      setU32(bytes, 0, id);
      return bytes;
    };
    for (const id of this.#gone) if (this.#wasThere.has(id)) sealer.gone(payload(id));
    for (const id of [...this.#changed].sort((a, b) => a - b)) {
      const pointer = this.pointers.get(id)!;
      const frame = cache.find(pointer.block);
      pointer.checksum = xxh32(cache.bytesOf(frame));
      sealer.at(payload(id), pointer);
      sealer.writeLeaf(pointer.block, frame);
    }
    this.#gone.clear();
    this.#changed.clear();
    this.#wasThere = new Set(this.pointers.keys());
  }

  /** What was there at the last boundary: only that can be gone. */
  #wasThere: Set<number> = new Set();

  /** To be called when opening is complete. */
  opened(): this {
    this.#wasThere = new Set(this.pointers.keys());
    return this;
  }

  checkpoint(writer: CheckpointWriter): ClientRoot {
    this.#nodes.forEach((node, index) => {
      this.#write(node, writer, (i) => this.pointers.get(index * this.perNode + i));
    });
    this.#write(this.#root, writer, (i) => this.#nodes[i]?.pointer);
    return { pointer: this.#root.pointer, level: 1 };
  }

  #write(node: Node, writer: CheckpointWriter, entry: (index: number) => BlockPointer | undefined): void {
    if (node.provisional === -1) return;
    const { cache } = this.log;
    this.log.releaseProvisional(node.provisional);
    node.provisional = -1;
    const block = writer.allocate();
    const frame = cache.create(block);
    const bytes = cache.bytesOf(frame).fill(0);
    let birth = 0;
    for (let i = 0; i < this.perNode; i++) {
      const pointer = entry(i) ?? nilPointer();
      encodePointer(bytes, i * POINTER_BYTES, pointer);
      birth = Math.max(birth, pointer.birth);
    }
    cache.markDirty(frame, writer.delta);
    node.pointer = { block, checksum: xxh32(bytes), birth };
    writer.writeNode(block, frame);
  }

  // --- for tests ------------------------------------------------------------------------------------------------------------------

  content(): Map<number, string> {
    const content = new Map<number, string>();
    for (const id of [...this.pointers.keys()].sort((a, b) => a - b)) {
      const bytes = this.get(id)!;
      content.set(
        id,
        String.fromCharCode(...bytes.subarray(0, bytes.indexOf(0) === -1 ? bytes.length : bytes.indexOf(0))),
      );
    }
    return content;
  }

  /** Invariants 4 and 5. */
  audit(): string[] {
    const audit = new SpaceAudit(this.log);
    const findings = [];
    for (const [id, { block }] of this.pointers) findings.push(...audit.reach(block, 1, `register ${id}`));
    for (const node of [...this.#nodes, this.#root]) {
      if (node.provisional === -1 && node.pointer.block !== NIL_BLOCK) {
        findings.push(...audit.reach(node.pointer.block, 1, 'a node'));
      }
    }
    findings.push(...audit.finish());
    return findings.map(({ code, block, blockCount, message }) => `${code}: ${message} (${blockCount} from ${block})`);
  }
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
