/**
 * The smallest client that uses everything the log offers: registers, each one block of content, under numbers.
 *
 * A register is what a leaf is to the tree: it is redirected in the first delta that changes it, and a promise says where it is now.
 * Registers belong to nodes (fixed ranges of numbers) and nodes to one root; both follow the rule of index nodes: provisional from their
 * first change in an epoch until a checkpoint gives them blocks. A *long* register has its content in a block of its own that is written
 * round the cache (as file data is); the leaf then holds the pointer, and births decide what is copied on an opening.
 */
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
} from '@outwrite/alloc-log';
import { assert, CorruptionError, getU32, NIL_BLOCK, setU32, xxh32 } from '@outwrite/blockdev';
import type { Frame } from '@outwrite/buffer-cache';

interface Node {
  /** Where the last checkpoint put it. */
  pointer: BlockPointer;
  /** Number of the open epoch, or -1 while the stored state is the present one. */
  provisional: number;
}

interface Register {
  /** Its leaf; the checksum is that of the last sealing. */
  leaf: BlockPointer;
  /** Where the content of a long register is; null for one whose leaf holds it. */
  data: BlockPointer | null;
}

/** First byte of a leaf. */
const SHORT = 1;
const LONG = 2;
const DATA_POINTER_AT = 4;
const TEXT_AT = DATA_POINTER_AT + POINTER_BYTES;

export class RegisterClient implements LogClient {
  log!: AllocLog;
  readonly registers: Map<number, Register> = new Map();
  #nodes: Node[] = [];
  #root: Node = { pointer: nilPointer(), provisional: -1 };
  readonly #changed: Set<number> = new Set();
  readonly #gone: Set<number> = new Set();
  /** What was there at the last boundary: only that can be gone. */
  #wasThere: Set<number> = new Set();

  get perNode(): number {
    return Math.floor(this.log.blockSize / POINTER_BYTES);
  }

  get(id: number): string | undefined {
    const register = this.registers.get(id);
    if (register === undefined) return undefined;
    const { cache } = this.log;
    const leaf = cache.bytesOf(cache.read(register.leaf.block, register.leaf.checksum, 'register'));
    if (register.data === null) return textOf(leaf, TEXT_AT);
    return textOf(cache.bytesOf(cache.read(register.data.block, register.data.checksum, 'register data')), 0);
  }

  set(id: number, text: string, long: boolean): void {
    assert(id < this.perNode * this.perNode, 'there are so many registers and no more');
    const { log } = this;
    const { cache } = log;
    log.checkWritable();
    for (;;) {
      const known = this.registers.get(id);
      if (known !== undefined) {
        cache.read(known.leaf.block, known.leaf.checksum, 'register');
        log.prepareFree(known.leaf.block, 1);
        if (known.data !== null) log.prepareFree(known.data.block, 1);
      }
      if (log.ensure(long ? 2 : 1, 2, false)) break;
    }
    const delta = log.openDelta;
    const old = this.registers.get(id);
    const frame = this.#changeable(old?.leaf);
    if (old?.data != null) this.#giveUpData(old.data);
    const bytes = cache.bytesOf(frame).fill(0);
    const register: Register = { leaf: { block: cache.numberOf(frame), checksum: 0, birth: delta }, data: null };
    if (long) {
      const content = new Uint8Array(log.blockSize);
      new TextEncoder().encodeInto(text, content);
      const block = log.allocateBlock();
      cache.discardRange(block, 1);
      try {
        log.device.grow((block + 1) * log.blockSize);
        log.device.writeSync(block * log.blockSize, [content]);
      } catch (error) {
        throw log.latch(error);
      }
      const checksum = xxh32(content);
      log.writtenDirectly(block, [checksum], 'data');
      register.data = { block, checksum, birth: delta };
      bytes[0] = LONG;
      encodePointer(bytes, DATA_POINTER_AT, register.data);
    } else {
      bytes[0] = SHORT;
      new TextEncoder().encodeInto(text, bytes.subarray(TEXT_AT));
    }
    cache.markDirty(frame, delta);
    this.registers.set(id, register);
    this.#changed.add(id);
    this.#touch(id);
  }

  /** The frame of a leaf of the open delta: redirected where its birth is older. */
  #changeable(old: BlockPointer | undefined): Frame {
    const { cache, openDelta } = this.log;
    if (old === undefined) return cache.create(this.log.allocateBlock());
    const frame = cache.find(old.block);
    assert(frame !== -1, 'the first half has read the leaf');
    if (old.birth === openDelta) return frame;
    const redirected = cache.redirect(frame, this.log.allocateBlock());
    this.log.free(old.block, 1, old.birth);
    return redirected;
  }

  #giveUpData(data: BlockPointer): void {
    this.log.cache.discardRange(data.block, 1);
    this.log.free(data.block, 1, data.birth);
  }

  delete(id: number): boolean {
    const { log } = this;
    log.checkWritable();
    for (;;) {
      const known = this.registers.get(id);
      if (known === undefined) return false;
      log.prepareFree(known.leaf.block, 1);
      if (known.data !== null) log.prepareFree(known.data.block, 1);
      if (log.ensure(0, 2, true)) break;
    }
    const old = this.registers.get(id)!;
    const frame = log.cache.find(old.leaf.block);
    if (frame !== -1) log.cache.discard(frame);
    log.free(old.leaf.block, 1, old.leaf.birth);
    if (old.data !== null) this.#giveUpData(old.data);
    this.registers.delete(id);
    this.#changed.delete(id);
    this.#gone.add(id);
    this.#touch(id);
    return true;
  }

  /** Puts the node of a register, and the root, into the open epoch. */
  #touch(id: number): void {
    const index = Math.floor(id / this.perNode);
    while (this.#nodes.length <= index) this.#nodes.push({ pointer: nilPointer(), provisional: -1 });
    for (const node of [this.#root, this.#nodes[index]!]) {
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
    const nodes = this.#readNode(root.pointer);
    while (nodes.length > 0 && nodes[nodes.length - 1]!.block === NIL_BLOCK) nodes.pop();
    this.#nodes = nodes.map((pointer) => ({ pointer, provisional: -1 }));
    nodes.forEach((node, nodeIndex) => {
      if (node.block === NIL_BLOCK) return;
      this.#readNode(node).forEach((leaf, i) => {
        if (leaf.block !== NIL_BLOCK) this.registers.set(nodeIndex * this.perNode + i, { leaf, data: null });
      });
    });
  }

  #readNode(pointer: BlockPointer): BlockPointer[] {
    const bytes = this.log.cache.bytesOf(this.log.cache.read(pointer.block, pointer.checksum, 'node'));
    return Array.from({ length: this.perNode }, (_, i) =>
      decodePointer(bytes, i * POINTER_BYTES, 'node', this.log.blockLimit),
    );
  }

  replayGone(payload: Uint8Array): void {
    const id = getU32(payload, 0);
    if (!this.registers.delete(id)) throw new CorruptionError('log block', 'a register is gone that was not there');
    this.#touch(id);
  }

  replayAt(payload: Uint8Array, pointer: BlockPointer): void {
    const id = getU32(payload, 0);
    this.registers.set(id, { leaf: { ...pointer }, data: null });
    this.#touch(id);
  }

  relocate(delta: number, relocator: Relocator): void {
    const { blockSize, device } = this.log;
    for (const [id, { leaf }] of this.registers) {
      if (leaf.birth !== delta) continue;
      const bytes = new Uint8Array(blockSize);
      device.readSync(leaf.block * blockSize, [bytes]);
      let { block } = leaf;
      let { checksum } = leaf;
      if (bytes[0] === LONG) {
        const data = decodePointer(bytes, DATA_POINTER_AT, 'register', this.log.blockLimit);
        encodePointer(bytes, DATA_POINTER_AT, { ...data, block: relocator.copyBlock(data, 'register data') });
        relocator.release(block);
        block = relocator.allocate();
        checksum = xxh32(bytes);
        relocator.write(block, bytes);
      } else {
        block = relocator.copyBlock(leaf, 'register');
      }
      this.registers.set(id, { leaf: { block, checksum, birth: leaf.birth }, data: null });
      this.#touch(id);
    }
  }

  /** To be called when opening is complete: reads what the leaves say. */
  opened(): this {
    const { cache, blockLimit } = this.log;
    for (const register of this.registers.values()) {
      const bytes = cache.bytesOf(cache.read(register.leaf.block, register.leaf.checksum, 'register'));
      if (bytes[0] === LONG) register.data = decodePointer(bytes, DATA_POINTER_AT, 'register', blockLimit);
      else if (bytes[0] !== SHORT)
        throw new CorruptionError('register', 'it is of no known kind', { actual: bytes[0] });
    }
    this.#wasThere = new Set(this.registers.keys());
    return this;
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
      const { leaf } = this.registers.get(id)!;
      const frame = cache.find(leaf.block);
      leaf.checksum = cache.checksumOf(frame);
      sealer.at(payload(id), leaf);
      sealer.writeLeaf(leaf.block, frame);
    }
    this.#gone.clear();
    this.#changed.clear();
    this.#wasThere = new Set(this.registers.keys());
  }

  checkpoint(writer: CheckpointWriter): ClientRoot {
    this.#nodes.forEach((node, index) => {
      this.#writeNode(node, writer, (i) => this.registers.get(index * this.perNode + i)?.leaf);
    });
    this.#writeNode(this.#root, writer, (i) => this.#nodes[i]?.pointer);
    return { pointer: this.#root.pointer, level: 1 };
  }

  #writeNode(node: Node, writer: CheckpointWriter, entry: (index: number) => BlockPointer | undefined): void {
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

  // --- for the lab ----------------------------------------------------------------------------------------------------------------

  /** Invariants 4 and 5. */
  audit(): string[] {
    const audit = new SpaceAudit(this.log);
    const findings = [];
    for (const [id, { leaf, data }] of this.registers) {
      findings.push(...audit.reach(leaf.block, 1, `register ${id}`));
      if (data !== null) findings.push(...audit.reach(data.block, 1, `register ${id}`));
    }
    for (const node of [...this.#nodes, this.#root]) {
      if (node.provisional === -1 && node.pointer.block !== NIL_BLOCK) {
        findings.push(...audit.reach(node.pointer.block, 1, 'a node'));
      }
    }
    findings.push(...audit.finish());
    return findings.map(({ code, block, blockCount, message }) => `${code}: ${message} (${blockCount} from ${block})`);
  }
}

function textOf(bytes: Uint8Array, from: number): string {
  const end = bytes.indexOf(0, from);
  return String.fromCharCode(...bytes.subarray(from, end === -1 ? bytes.length : end));
}
