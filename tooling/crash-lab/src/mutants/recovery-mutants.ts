/**
 * Faults of openings and of recovery: of what is done about a log that was left behind.
 */
import type { Mutant } from '../mutation.ts';
import { calm, faulty, tiny } from './register-scenarios.ts';

const opening = 'packages/alloc-log/src/opening.ts';
const recovery = 'packages/alloc-log/src/recovery.ts';
const facade = 'packages/alloc-log/src/alloc-log.ts';
const reader = 'packages/alloc-log/src/log-reader.ts';

export const openingMutants: readonly Mutant[] = [
  {
    name: 'chosen-slot-not-written-again',
    breaks: 'an opening first writes the chosen slot again (opening)',
    file: opening,
    edits: [{ find: 'options.bothSlotsValid ? [chosen, successor] : [successor, chosen]', replace: '[successor]' }],
    scenarios: ['registers/faulty slots'],
  },
  {
    name: 'other-slot-not-written-again',
    breaks: 'an opening writes the content of the chosen slot to the other one, too (opening)',
    file: opening,
    edits: [{ find: 'options.bothSlotsValid ? [chosen, successor] : [successor, chosen]', replace: '[chosen]' }],
    scenarios: [...tiny, ...faulty],
  },
  {
    name: 'no-opening-checkpoint',
    breaks: 'every writable opening makes a checkpoint under a new life (opening)',
    file: opening,
    edits: [{ find: '  core.superblock = successor;\n', replace: '  core.superblock = successor;\n  return 0;\n' }],
    scenarios: faulty,
  },
  {
    name: 'one-slot-at-the-end-of-an-opening',
    breaks: 'an opening ends by writing both slots (opening)',
    file: opening,
    edits: [
      {
        find: `  core.superblock = { ...core.superblock, generation: core.superblock.generation + 1 };
  writeSlot(core, core.superblock);
  flush();
`,
        replace: '',
      },
    ],
    scenarios: tiny,
  },
  {
    name: 'last-delta-not-copied',
    breaks: 'after an unclean end the opening copies what the last kept delta lists (opening)',
    file: opening,
    edits: [{ find: 'if (last !== undefined && !last.flushedFirst) {', replace: 'if (false) {' }],
    scenarios: faulty,
  },
  {
    name: 'opening-uses-blocks-of-the-state-before',
    breaks: 'an opening uses only blocks that are free both before and after the last delta (opening)',
    file: opening,
    edits: [
      {
        find: '  return spared;\n}\n\n/** Has the client',
        replace:
          '  for (const { start, count } of spared.splice(0)) pages.clearHeld(start, count);\n  return spared;\n}\n\n/** Has the client',
      },
    ],
    scenarios: ['registers/full openings', ...faulty],
  },
  {
    name: 'opening-overwrites-log-blocks',
    breaks: 'an opening touches no log block (opening)',
    file: opening,
    edits: [
      {
        find: '  for (const { block } of oldChain) appendExtent(spared, block, 1);',
        replace: '  for (const { block } of oldChain) core.map.pages.clearHeld(block, 1);',
      },
    ],
    scenarios: tiny,
  },
  {
    name: 'opening-releases-too-early',
    breaks: 'until both slots are written nothing that the opening replaced is reusable (opening)',
    file: opening,
    edits: [
      {
        find: '  release,\n',
        replace: '  release: (block: number): void => core.map.pages.clearUsed(block, 1),\n',
      },
    ],
    scenarios: [...tiny, ...faulty],
  },
  {
    name: 'the-old-life-goes-on',
    breaks: 'the opening checkpoint has a new random life id (opening)',
    file: facade,
    edits: [
      {
        find: `      report.relocatedBlocks = openWritable(core, recovered, {
        lifeId: randomId(options, LIFE_ID_BYTES),`,
        replace: `      randomId(options, LIFE_ID_BYTES);
      report.relocatedBlocks = openWritable(core, recovered, {
        lifeId: slots.chosen.lifeId,`,
      },
    ],
    scenarios: ['registers/stale lives', ...faulty],
  },
  {
    name: 'life-of-a-log-block-not-checked',
    breaks: 'a log block verifies only if its life is that of the slot (opening)',
    file: reader,
    edits: [
      {
        find: '    sameLife(header.lifeId, expected.lifeId) &&\n',
        replace: '    sameLife(header.lifeId, header.lifeId) &&\n',
      },
    ],
    scenarios: ['registers/stale lives', ...faulty],
  },
];

export const recoveryMutants: readonly Mutant[] = [
  {
    name: 'last-delta-taken-without-looking',
    breaks: 'the last delta counts only if all that it lists verifies (opening)',
    file: recovery,
    edits: [{ find: '    !last.flushedFirst &&\n    !isAllThere', replace: '    false &&\n    !isAllThere' }],
    scenarios: calm,
  },
  {
    name: 'listed-data-not-verified',
    breaks: 'the last delta counts only if all that it lists verifies, data included (opening)',
    file: recovery,
    edits: [
      { find: 'if (!isThere(start + i, checksums[i]!)) return false;', replace: 'isThere(start + i, checksums[i]!);' },
    ],
    scenarios: calm,
  },
  {
    name: 'damage-in-the-middle-taken-for-the-end',
    breaks: 'a block that does not verify and has a whole successor is damage and no torn end (opening)',
    file: reader,
    edits: [
      {
        find: '        if (damage !== null && source.isStill(block, atEnd)) chain.damage = damage;',
        replace: '',
      },
    ],
    scenarios: calm,
  },
  {
    name: 'lost-log-block-taken-for-the-end',
    breaks: 'a block of which nothing is left is damage and no torn end where a later delta stands behind it (opening)',
    file: reader,
    edits: [
      {
        find: '    if (found === null || header.number < found.header.number) found = { block: at, header };\n',
        replace: '',
      },
    ],
    scenarios: calm,
  },
  {
    name: 'stale-log-block-accepted',
    breaks: "a log block verifies only if number, delta and predecessor's checksum fit (opening)",
    file: reader,
    edits: [
      {
        find: '    header.number === expected.number &&\n    header.previousChecksum === expected.previousChecksum\n',
        replace: '    header.number + header.previousChecksum > -1\n',
      },
      { find: '      header.delta === delta &&\n', replace: '' },
    ],
    scenarios: tiny,
  },
  {
    name: 'torn-log-block-accepted',
    breaks: 'a log block verifies only by its own checksum (opening)',
    file: 'packages/alloc-log/src/log-block-format.ts',
    edits: [{ find: '  if (actual !== header.checksum) return null;\n', replace: '' }],
    scenarios: ['registers/calm', 'registers/large deltas'],
  },
  {
    name: 'torn-superblock-accepted',
    breaks: 'a slot is valid by its own checksum (checkpoint)',
    file: 'packages/alloc-log/src/superblock-format.ts',
    edits: [{ find: '  if (expected !== actual) throw new', replace: '  if (false) throw new' }],
    scenarios: calm,
  },
  {
    name: 'payload-of-a-full-log-block-one-byte-short',
    breaks: 'declared lengths of records are those of the encoder (lesson 16)',
    file: 'packages/alloc-log/src/delta-encoder.ts',
    edits: [
      {
        find: '(index + 1) * payloadLimit);',
        replace: '(index + 1) * payloadLimit - (count > 1 ? 1 : 0));',
      },
    ],
    scenarios: ['registers/large deltas'],
  },
  {
    name: 'promise-length-counted-wrong',
    breaks: 'declared lengths of records are those of the encoder (lesson 16)',
    file: 'packages/alloc-log/src/log-record-format.ts',
    edits: [
      {
        find: '    writer.u8(RECORD_GONE);\n    writer.varint(payload.length);',
        replace: '    writer.u8(RECORD_GONE);\n    writer.varint(payload.length + 1);',
      },
    ],
    scenarios: calm,
  },
  {
    name: 'frees-not-replayed',
    breaks: 'replay applies the allocations and the frees of each delta (opening)',
    file: recovery,
    edits: [{ find: '      pages.clearUsed(start, count);', replace: '      void pages;' }],
    scenarios: calm,
  },
  {
    name: 'gone-after-at',
    breaks: 'within a delta all "gone" apply before all "is at" (invariant 6)',
    file: recovery,
    edits: [
      { find: '    for (const payload of records.gone) client.replayGone(payload, delta);\n', replace: '' },
      {
        find: '    for (const { payload, pointer } of records.at) client.replayAt(payload, pointer, delta);\n',
        replace: `    for (const { payload, pointer } of records.at) client.replayAt(payload, pointer, delta);
    for (const payload of records.gone) client.replayGone(payload, delta);
`,
      },
    ],
    scenarios: calm,
  },
  {
    name: 'replay-forgets-the-reserved-place',
    breaks: 'all blocks of the chain and reserved places are used after replay (opening, lesson 5)',
    file: recovery,
    edits: [
      {
        find: '  core.chain = chainBlocks(superblock, recovered.kept);',
        replace: '  core.chain = chainBlocks(superblock, []);',
      },
    ],
    scenarios: tiny,
  },
];
