/**
 * Faults of commits, checkpoints, space and the cache: of what is done while a volume is open.
 */
import type { Mutant } from '../mutation.ts';
import { calm, concurrent, faulty, held, tiny } from './register-scenarios.ts';

const committer = 'packages/alloc-log/src/committer.ts';
const checkpoint = 'packages/alloc-log/src/checkpoint.ts';
const flight = 'packages/alloc-log/src/delta-flight.ts';
const facade = 'packages/alloc-log/src/alloc-log.ts';

export const commitMutants: readonly Mutant[] = [
  {
    name: 'no-flush-in-asynchronous-commits',
    breaks: 'a delta is durable when its flush has returned (commit)',
    file: committer,
    edits: [
      {
        find: `      await this.#issue(flight, flight.log);
      if (this.#isOver(flight)) return;
      await this.#flush();`,
        replace: '      await this.#issue(flight, flight.log);',
      },
    ],
    scenarios: calm,
  },
  {
    name: 'no-flush-in-synchronous-commits',
    breaks: 'a delta is durable when its flush has returned (commit)',
    file: committer,
    edits: [{ find: '    flight.log.writeSync();\n    this.#flushSync();', replace: '    flight.log.writeSync();' }],
    scenarios: calm,
  },
  {
    name: 'large-delta-not-flushed-first',
    breaks: 'a delta that lists nothing flushes its blocks before it writes its log block (commit)',
    file: committer,
    edits: [
      {
        find: `        await this.#issue(flight, flight.blocks);
        if (this.#isOver(flight)) return;
        await this.#flush();`,
        replace: '        await this.#issue(flight, flight.blocks);',
      },
    ],
    scenarios: ['registers/flush first'],
  },
  {
    name: 'log-block-before-flush-of-predecessor',
    breaks: 'no log block is written before the flush of the delta before it has returned (commit)',
    file: committer,
    edits: [
      {
        find: `      await this.#issue(flight, flight.log);
      if (this.#isOver(flight)) return;
      await this.#flush();`,
        replace: `      await this.#issue(flight, flight.log);
      if (this.#isOver(flight)) return;
      this.#flight = null;
      this.#schedule();
      await this.#flush();`,
      },
      {
        find: '    this.#flight = null;\n    core.waiting',
        replace: '    if (this.#flight === flight) this.#flight = null;\n    core.waiting',
      },
    ],
    scenarios: held,
  },
  {
    name: 'delta-left-open-while-encoding',
    breaks: 'closing and encoding are one synchronous turn (commit)',
    file: flight,
    edits: [
      {
        find: '  core.open = new OpenDelta(delta + 1);',
        replace: '  void Promise.resolve().then(() => { core.open = new OpenDelta(delta + 1); });',
      },
    ],
    scenarios: calm,
  },
  {
    name: 'failed-flush-counts-as-done',
    breaks: 'a failed flush latches the volume and acknowledges nothing (commit)',
    file: committer,
    edits: [
      {
        find: '    await this.#core.device.flush();',
        replace: '    await this.#core.device.flush().catch(() => undefined);',
      },
    ],
    scenarios: faulty,
  },
  {
    name: 'failed-write-is-not-latched',
    breaks: 'a failed write latches the volume (commit)',
    file: 'packages/alloc-log/src/log-core.ts',
    edits: [{ find: '    if (this.latched !== null) throw this.latched;\n', replace: '' }],
    scenarios: faulty,
  },
  {
    name: 'latched-volume-writes-on-close',
    breaks: 'a latched volume writes nothing more, on close neither (commit)',
    file: 'packages/alloc-log/src/closing.ts',
    edits: [
      {
        find: '    core.closed = true;\n    await core.device.close();',
        replace:
          '    core.closed = true;\n    if (core.latched !== null) writeSlot(core, core.superblock);\n    await core.device.close();',
      },
      {
        find: 'import type { Committer }',
        replace: "import { writeSlot } from './checkpoint.ts';\nimport type { Committer }",
      },
    ],
    scenarios: faulty,
  },
  {
    name: 'latched-volume-goes-on-in-flight',
    breaks: 'a latched volume writes nothing more (commit)',
    file: committer,
    edits: [
      { find: '    return flight.settled || this.#core.latched !== null;', replace: '    return flight.settled;' },
    ],
    scenarios: ['registers/faulty', 'registers/faulty concurrent'],
  },
  {
    name: 'overtaken-delta-not-written-again',
    breaks: 'a synchronous commit writes again what is in flight (commit)',
    file: committer,
    edits: [{ find: '    flight.log.writeSync();\n', replace: '    if (!again) flight.log.writeSync();\n' }],
    scenarios: concurrent,
  },
  {
    name: 'overtaken-writes-are-forgotten',
    breaks: 'blocks and buffers of a late write stay untouchable until it returns (commit)',
    file: committer,
    edits: [
      {
        find: `    if (flight.batchInFlight !== null) core.waiting.lateWriteStarted(flight.batchInFlight);
    else flight.releaseFrames();`,
        replace: '    flight.releaseFrames();',
      },
      {
        find: `      if (flight.settled) {
        flight.releaseFrames();
        this.#core.waiting.lateWriteReturned(batch);
      }`,
        replace: '',
      },
    ],
    scenarios: ['registers/late'],
  },
  {
    name: 'late-writes-do-not-hold-blocks-back',
    breaks: 'a block with a write in flight is not allocatable (commit)',
    file: 'packages/alloc-log/src/waiting-list.ts',
    edits: [{ find: '[...this.#lateWrites.values()].flat()', replace: '[] as Extent[]' }],
    scenarios: ['registers/late'],
  },
];

export const checkpointMutants: readonly Mutant[] = [
  {
    name: 'superblock-overtakes-its-delta',
    breaks: 'the superblock is written only when the flush of its delta has returned (checkpoint)',
    file: committer,
    edits: [
      { find: '      if (flight !== null) await this.#untilSettled(flight);\n', replace: '' },
      { find: 'checkpoint.writtenWithDelta = flight !== null;', replace: 'checkpoint.writtenWithDelta = false;' },
      {
        find: `      assert(core.durableDelta >= checkpoint.superblock.delta, 'a superblock never overtakes its delta');
      checkpoint.writeSlot();
      await`,
        replace: '      checkpoint.writeSlot();\n      await',
      },
    ],
    scenarios: ['registers/committers', ...held],
  },
  {
    name: 'superblock-overtakes-its-checkpoint',
    breaks:
      "a flush begun after the last of the checkpoint's own writes has returned before the superblock (checkpoint)",
    file: committer,
    edits: [
      {
        find: '    checkpoint.batch.writeSync();\n    this.#flushSync();',
        replace: '    checkpoint.batch.writeSync();',
      },
    ],
    scenarios: calm,
  },
  {
    name: 'flush-begun-before-the-checkpoint-counts',
    breaks:
      "a flush begun after the last of the checkpoint's own writes has returned before the superblock (checkpoint)",
    file: committer,
    edits: [{ find: '      if (!checkpoint.writtenWithDelta) await this.#flush();\n', replace: '' }],
    scenarios: ['registers/concurrent', 'registers/calm'],
  },
  {
    name: 'superblock-not-flushed',
    breaks: 'what a checkpoint retires waits for the second durable one (checkpoint)',
    file: committer,
    edits: [
      {
        find: '      checkpoint.writeSlot();\n      await this.#flush();',
        replace: '      checkpoint.writeSlot();',
      },
      { find: '    checkpoint.writeSlot();\n    this.#flushSync();', replace: '    checkpoint.writeSlot();' },
    ],
    scenarios: tiny,
  },
  {
    name: 'one-slot-only',
    breaks: 'the slot that is not current is written (checkpoint)',
    file: checkpoint,
    edits: [{ find: 'SLOT_POSITIONS[superblock.generation % 2]!', replace: 'SLOT_POSITIONS[0]!' }],
    scenarios: calm,
  },
  {
    name: 'reuse-after-the-first-checkpoint',
    breaks: 'what checkpoint G+1 retires is reusable only when G+2 is durable (checkpoint)',
    file: checkpoint,
    edits: [
      {
        find: 'core.waiting.untilCheckpoint(generation + 1, delta, retired);',
        replace: 'core.waiting.untilCheckpoint(generation, delta, retired);',
      },
    ],
    scenarios: tiny,
  },
  {
    name: 'chain-restarts-at-a-checkpoint',
    breaks: 'the log chain does not restart at a checkpoint (checkpoint)',
    file: checkpoint,
    edits: [
      {
        find: '  core.promiseCount = 0;\n  core.epoch++;',
        replace: `  core.promiseCount = 0;
  core.chainNumber = 0;
  core.chainChecksum = 0;
  core.epoch++;`,
      },
    ],
    scenarios: calm,
  },
  {
    name: 'free-map-image-without-its-own-allocations',
    breaks: 'the image on disk contains its own allocations (checkpoint)',
    file: 'packages/alloc-log/src/free-map.ts',
    edits: [
      {
        find: '    const placedNodes: Map<number, number>[] = [];\n',
        replace: `    const placedNodes: Map<number, number>[] = [];
    (this as any).early = new Map([...pages.changed].map((page) => {
      const bytes = new Uint8Array(pages.blockBytes);
      pages.copyUsed(page, bytes);
      return [page, bytes];
    }));
`,
      },
      {
        find: '      pages.copyUsed(page, bytes);\n      pages.pointers[page]',
        replace: '      bytes.set((this as any).early.get(page) ?? bytes);\n      pages.pointers[page]',
      },
    ],
    scenarios: calm,
  },
  {
    name: 'free-map-image-without-its-retirements',
    breaks: 'the image counts as free what its own checkpoint retires (checkpoint)',
    file: checkpoint,
    edits: [
      { find: '  for (const block of core.retired) retire(block);\n  core.retired = [];\n', replace: '' },
      {
        find: '  const stillNeeded =',
        replace: '  for (const block of core.retired) retire(block);\n  core.retired = [];\n  const stillNeeded =',
      },
    ],
    scenarios: calm,
  },
];

export const spaceMutants: readonly Mutant[] = [
  {
    name: 'freed-one-delta-too-early',
    breaks: 'what a delta frees is reusable when that delta is durable (space)',
    file: facade,
    edits: [
      {
        find: '        core.holdBack(start, count);\n        core.open.freed(start, count);',
        replace: '        core.map.pages.clearUsed(start, count);\n        core.open.freed(start, count);',
      },
      {
        find: '    if (!ownedByHead(birth)) return;\n',
        replace: '    if (!ownedByHead(birth)) return;\n    core.waiting.untilDelta = () => undefined;\n',
      },
    ],
    scenarios: tiny,
  },
  {
    name: 'frees-of-others-not-owned',
    breaks: 'a head frees a block if and only if its birth is later than its own anchor (space)',
    file: facade,
    edits: [{ find: '  const anchor = 0;\n', replace: '  const anchor = 5;\n' }],
    scenarios: calm,
  },
  {
    name: 'index-nodes-take-blocks-at-once',
    breaks: 'memory holds no unlogged allocation: index nodes have provisional numbers (redirect)',
    file: facade,
    edits: [
      {
        find: '    return this.#core.provisional.take();',
        replace: '    this.allocateBlock();\n    return this.#core.provisional.take();',
      },
    ],
    scenarios: calm,
  },
  {
    name: 'index-nodes-take-unlogged-blocks',
    breaks: 'memory holds no unlogged allocation (redirect)',
    file: facade,
    edits: [
      {
        find: '    return this.#core.provisional.take();',
        replace: '    this.#core.takeUsedBlock();\n    return this.#core.provisional.take();',
      },
    ],
    scenarios: calm,
  },
  {
    name: 'views-are-ignored',
    breaks: 'blocks freed since an open view are not reused (space)',
    file: 'packages/alloc-log/src/waiting-list.ts',
    edits: [{ find: 'entry.event > reached || entry.delta > oldestView', replace: 'entry.event > reached' }],
    scenarios: ['registers/views'],
  },
  {
    name: 'given-back-blocks-stay-listed',
    breaks: 'a delta lists what it wrote, not what it gave back (commit)',
    file: 'packages/alloc-log/src/open-delta.ts',
    edits: [
      { find: '    if (this.directWrites.length > 0) this.#cutDirectWrites(start, start + count);\n', replace: '' },
    ],
    scenarios: ['registers/full openings', ...tiny],
  },
  {
    name: 'given-back-blocks-stay-allocated',
    breaks: 'a block allocated and freed in one delta is free at once (space)',
    file: 'packages/alloc-log/src/open-delta.ts',
    edits: [
      {
        find: 'return extentBalance(this.#allocated, this.#givenBack);',
        replace: 'return extentBalance(this.#allocated, []);',
      },
    ],
    scenarios: calm,
  },
  {
    name: 'no-room-set-aside',
    breaks: 'reservations count log, index nodes, free map, one opening and two checkpoints (space)',
    file: 'packages/alloc-log/src/space-accounting.ts',
    edits: [
      {
        find: '  return 2 * (core.provisional.count + core.map.imageBlockBound()) + relocationBlocks + logBlocks;',
        replace: '  return 0 * (relocationBlocks + logBlocks);',
      },
      { find: 'Math.max(Math.ceil(core.superblock.blockLimit / RESERVE_PART), STEP_BLOCKS)', replace: '0' },
    ],
    scenarios: ['registers/full'],
  },
  {
    name: 'reserve-closed-to-deletes',
    breaks: 'deletes and truncates may use the reserve (space)',
    file: 'packages/alloc-log/src/space-accounting.ts',
    edits: [{ find: 'const reserve = reclaiming ? 0 : Math', replace: 'const reserve = reclaiming ? 4096 : Math' }],
    scenarios: ['registers/full'],
  },
];

export const cacheMutants: readonly Mutant[] = [
  {
    name: 'buffer-changed-while-it-is-written',
    breaks: 'a buffer that is being written is never changed: a redirect forks it (commit)',
    file: 'packages/buffer-cache/src/buffer-cache.ts',
    edits: [
      {
        find: '    if (table.writes[frame] === 0 && table.pins[frame] === ownPinCount) {\n      this.move(frame, newNumber);\n      pool.markEmpty(frame);',
        replace: `    if (table.pins[frame] === ownPinCount) {
      this.#giveWay(newNumber);
      this.#index.remove(number);
      this.#index.insert(newNumber, frame);
      table.number[frame] = newNumber;
      if (table.writes[frame] === 0) pool.markEmpty(frame);`,
      },
    ],
    scenarios: concurrent,
  },
  {
    name: 'neighbours-joined-across-a-gap',
    breaks: 'write-back joins neighbours only (buffer-cache)',
    file: 'packages/buffer-cache/src/write-batch.ts',
    edits: [{ find: 'if (block === end) runs', replace: 'if (block === end || block === end + 1) runs' }],
    scenarios: calm,
  },
  {
    name: 'blocks-not-verified-when-read',
    breaks: 'every read from the device is verified before use (integrity)',
    file: 'packages/buffer-cache/src/block-reader.ts',
    edits: [
      {
        find: '      if (actual !== checksum >>> 0) throw mismatch(block, checksum, actual, structure);',
        replace: '      if (actual !== checksum >>> 0) void mismatch(block, checksum, actual, structure);',
      },
    ],
    scenarios: calm,
  },
];
