/**
 * The smallest client that uses everything the log offers: registers, each one block of content, under numbers.
 *
 * A register is what a leaf is to the tree: it is redirected in the first delta that changes it, and a promise says where it is now.
 * Registers belong to nodes (fixed ranges of numbers) and nodes to one root; both follow the rule of index nodes: provisional from their
 * first change in an epoch until a checkpoint gives them blocks. A *long* register has its content in an extent of its own that is written
 * round the cache (as file data is); the leaf then says where, and births decide what is copied on an opening.
 */
import { assert, CorruptionError, getU32, NIL_BLOCK, setU32, xxh32 } from '@outwrite/blockdev';
import type { Frame } from '@outwrite/buffer-cache';
import type { AllocLog } from '../alloc-log.ts';
import { type BlockPointer, decodePointer, encodePointer, nilPointer, POINTER_BYTES } from '../block-pointer.ts';
import type { CheckpointWriter, ClientRoot, DeltaSealer, LogClient, Relocator } from '../log-client.ts';
import { SpaceAudit } from '../space-audit.ts';

interface Node {
  /** Where the last checkpoint put it. */
  pointer: BlockPointer;
  /** Number of the open epoch, or -1 while the stored state is the present one. */
  provisional: number;
}

/** The extent of a long register: consecutive blocks with a checksum each. Every one of them holds the text. */
export interface RegisterData {
  readonly start: number;
  readonly birth: number;
  readonly checksums: readonly number[];
}

export interface Register {
  /** Its leaf; the checksum is that of the last sealing. */
  leaf: BlockPointer;
  /** Where the content of a long register is; null for one whose leaf holds it. */
  data: RegisterData | null;
}

export interface LongOptions {
  /** Blocks of its own for the content; 0, the default, puts it into the leaf. */
  readonly dataBlocks?: number;
  /** Where they should be. They are consecutive in any case: there has to be a run of them. */
  readonly goal?: number;
}

/** First byte of a leaf. */
const SHORT = 1;
const LONG = 2;
/** In a long one: a pointer to the first block (its checksum is nil), the number of blocks, and a checksum for each. */
const DATA_POINTER_AT = 4;
const TEXT_AT = DATA_POINTER_AT + POINTER_BYTES;
const DATA_COUNT_AT = TEXT_AT;
const DATA_CHECKSUMS_AT = DATA_COUNT_AT + 4;

const encoder = new TextEncoder();

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
    const { start, checksums } = register.data;
    const texts = checksums.map((checksum, i) =>
      textOf(cache.bytesOf(cache.read(start + i, checksum, 'register data')), 0),
    );
    assert(
      texts.every((text) => text === texts[0]),
      'all blocks of a register hold its text',
    );
    return texts[0];
  }

  /** All registers in the order of their numbers. */
  content(): Map<number, string> {
    const content = new Map<number, string>();
    for (const id of [...this.registers.keys()].sort((a, b) => a - b)) content.set(id, this.get(id) as string);
    return content;
  }

  set(id: number, text: string, { dataBlocks = 0, goal }: LongOptions = {}): void {
    assert(id < this.perNode * this.perNode, 'there are so many registers and no more');
    const { log } = this;
    const { cache } = log;
    log.checkWritable();
    for (;;) {
      const known = this.registers.get(id);
      if (known !== undefined) {
        cache.read(known.leaf.block, known.leaf.checksum, 'register');
        log.prepareFree(known.leaf.block, 1);
        if (known.data !== null) log.prepareFree(known.data.start, known.data.checksums.length);
      }
      if (log.ensure(dataBlocks + 1, 2, false)) break;
    }
    const delta = log.openDelta;
    const old = this.registers.get(id);
    const frame = this.#changeable(old?.leaf);
    if (old?.data != null) this.#giveUpData(old.data);
    const bytes = cache.bytesOf(frame).fill(0);
    const register: Register = { leaf: { block: cache.numberOf(frame), checksum: 0, birth: delta }, data: null };
    if (dataBlocks > 0) {
      register.data = this.#writeData(text, dataBlocks, goal);
      encodeData(bytes, register.data);
    } else {
      bytes[0] = SHORT;
      encodeText(text, bytes.subarray(TEXT_AT));
    }
    cache.markDirty(frame, delta);
    this.registers.set(id, register);
    this.#changed.add(id);
    this.#touch(id);
  }

  /** Writes `dataBlocks` consecutive blocks straight to the device. */
  #writeData(text: string, dataBlocks: number, goal: number | undefined): RegisterData {
    const { log } = this;
    const { start, count } = log.allocateExtent(dataBlocks, goal);
    assert(count === dataBlocks, 'there is a run for the content of a register');
    const content = new Uint8Array(log.blockSize);
    encodeText(text, content);
    log.cache.discardRange(start, count);
    try {
      log.device.grow((start + count) * log.blockSize);
      log.device.writeSync(start * log.blockSize, new Array(count).fill(content));
    } catch (error) {
      throw log.latch(error);
    }
    const checksums = new Array<number>(count).fill(xxh32(content));
    log.writtenDirectly(start, checksums, 'data');
    return { start, birth: log.openDelta, checksums };
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

  #giveUpData({ start, birth, checksums }: RegisterData): void {
    this.log.cache.discardRange(start, checksums.length);
    this.log.free(start, checksums.length, birth);
  }

  /** False if there is none. */
  delete(id: number): boolean {
    const { log } = this;
    log.checkWritable();
    for (;;) {
      const known = this.registers.get(id);
      if (known === undefined) return false;
      log.prepareFree(known.leaf.block, 1);
      if (known.data !== null) log.prepareFree(known.data.start, known.data.checksums.length);
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
      const actual = xxh32(bytes);
      if (actual !== checksum) {
        throw new CorruptionError('register', 'wrong checksum', { block, expected: checksum, actual });
      }
      if (bytes[0] === LONG) {
        const data = decodeData(bytes, this.log.blockLimit);
        const start = relocator.copyExtent(data.start, data.checksums, data.birth, 'register data');
        if (start !== -1) encodeData(bytes, { ...data, start });
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
      if (bytes[0] === LONG) register.data = decodeData(bytes, blockLimit);
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

  // --- for tests ----------------------------------------------------------------------------------------------------------------

  /** Invariants 4 and 5. */
  audit(): string[] {
    const audit = new SpaceAudit(this.log);
    const findings = [];
    for (const [id, { leaf, data }] of this.registers) {
      findings.push(...audit.reach(leaf.block, 1, `register ${id}`));
      if (data !== null) findings.push(...audit.reach(data.start, data.checksums.length, `register ${id}`));
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

function encodeText(text: string, target: Uint8Array): void {
  const { read } = encoder.encodeInto(text, target);
  assert(read === text.length, 'a text fits into its block');
}

function encodeData(leaf: Uint8Array, { start, birth, checksums }: RegisterData): void {
  assert(DATA_CHECKSUMS_AT + 4 * checksums.length <= leaf.length, 'the checksums of an extent fit into its leaf');
  leaf[0] = LONG;
  encodePointer(leaf, DATA_POINTER_AT, { block: start, checksum: 0, birth });
  setU32(leaf, DATA_COUNT_AT, checksums.length);
  checksums.forEach((checksum, i) => {
    setU32(leaf, DATA_CHECKSUMS_AT + 4 * i, checksum);
  });
}

function decodeData(leaf: Uint8Array, blockLimit: number): RegisterData {
  const { block, birth } = decodePointer(leaf, DATA_POINTER_AT, 'register', blockLimit);
  const count = getU32(leaf, DATA_COUNT_AT);
  if (count === 0 || DATA_CHECKSUMS_AT + 4 * count > leaf.length || block + count > blockLimit) {
    throw new CorruptionError('register', 'its extent has an impossible length', { actual: count });
  }
  const checksums = Array.from({ length: count }, (_, i) => getU32(leaf, DATA_CHECKSUMS_AT + 4 * i));
  return { start: block, birth, checksums };
}

function textOf(bytes: Uint8Array, from: number): string {
  const end = bytes.indexOf(0, from);
  return String.fromCharCode(...bytes.subarray(from, end === -1 ? bytes.length : end));
}
