/**
 * Faults of trees, files and volumes.
 */
import type { Mutant } from '../mutation.ts';

const redirect = 'packages/btree-cow/src/redirect.ts';
const trees = ['trees/calm', 'trees/held flushes', 'trees/large deltas'];
const volumes = ['volume/calm', 'volume/tiny', 'volume/held flushes'];

export const treeMutants: readonly Mutant[] = [
  {
    name: 'parent-keeps-the-old-pointer',
    breaks: 'a redirect updates the pointer in the parent (redirect)',
    file: redirect,
    edits: [
      {
        find: '      redirect(path, level, number, delta);\n      publish(state, path, level, number);',
        replace:
          '      redirect(path, level, number, delta);\n      if (level > 0) publish(state, path, level, number);',
      },
    ],
    scenarios: trees,
  },
  {
    name: 'cursor-kept-across-a-redirect',
    breaks: 'a redirect repairs the cursor (redirect, lessons 10 and 18)',
    file: redirect,
    edits: [
      {
        find: '  cache.markDirty(frame, delta);\n  path.frames[level] = frame;\n}',
        replace: '  cache.markDirty(frame, delta);\n}',
      },
    ],
    scenarios: ['trees/held flushes', 'trees/concurrent', 'trees/calm'],
  },
  {
    name: 'redirected-block-never-freed',
    breaks: 'a redirect puts the old block on a deferred-free list (redirect)',
    file: redirect,
    edits: [{ find: '      giveUpNumber(state, level, path.numbers[level]!, path.births[level]!);\n', replace: '' }],
    scenarios: trees,
  },
  {
    name: 'birth-not-passed-up',
    breaks: 'the birth of a parent is not older than that of its child (space)',
    file: redirect,
    edits: [
      {
        find: '    if (path.births[level] !== delta) {',
        replace: '    if (level === 0 && path.births[level] !== delta) {',
      },
    ],
    scenarios: trees,
  },
  {
    name: 'leaf-redirected-only-once',
    breaks: 'a leaf needs a redirect when its birth is not the open delta (redirect, lesson 7)',
    file: 'packages/btree-cow/src/tree-state.ts',
    edits: [
      {
        find: 'return birth !== this.core.log.openDelta;',
        replace: 'return birth + 1 < this.core.log.openDelta;',
      },
    ],
    scenarios: trees,
  },
  {
    name: 'checkpointed-index-node-changed-in-place',
    breaks: 'an index node needs a redirect when its epoch is not the open one (redirect)',
    file: 'packages/btree-cow/src/tree-state.ts',
    edits: [{ find: '    return !isProvisional(block);', replace: '    return !isProvisional(block) && level > 1;' }],
    scenarios: trees,
  },
  {
    name: 'catalogue-line-not-redirected',
    breaks: 'the root is no special case: its line in the catalogue is its parent (redirect)',
    file: redirect,
    edits: [{ find: '    moveNodes(catalogue!, cataloguePath, 0, catalogueNumbers);\n', replace: '' }],
    scenarios: trees,
  },
  {
    name: 'overflow-values-not-copied-by-an-opening',
    breaks: 'an opening copies what the last kept delta lists, overflow values too (opening)',
    file: 'packages/btree-cow/src/relocation.ts',
    edits: [
      {
        find: '      if (descriptorBirth(slab.u8, start) !== relocator.delta) continue;',
        replace: '      if (start >= 0) continue;',
      },
    ],
    scenarios: ['trees/faulty', 'trees/faulty tiny', 'trees/faulty concurrent'],
  },
  {
    name: 'promise-of-a-new-leaf-forgotten',
    breaks: 'a changed leaf is promised when its delta is closed (commit)',
    file: 'packages/btree-cow/src/sealing.ts',
    edits: [
      {
        find: '    this.#sealer.at(encodeLeafAt(',
        replace: '    if (this.#lengths[0]! === 0) this.#sealer.at(encodeLeafAt(',
      },
    ],
    scenarios: trees,
  },
  {
    name: 'flush-in-flight-fails-for-one-caller-only',
    breaks: 'a commit that overtakes writes again what a flush in flight may lose (commit; found by this lab)',
    file: 'packages/alloc-log/src/committer.ts',
    edits: [
      {
        find: 'this.#completeDeltaSync(flight, overtook);',
        replace: 'this.#completeDeltaSync(flight, overtook && false);',
      },
    ],
    scenarios: ['registers/overtaken flushes', 'trees/overtaken flushes'],
  },
];

export const fileMutants: readonly Mutant[] = [
  {
    name: 'page-not-forked',
    breaks: 'a change of a page that is being written forks it (commit)',
    file: 'packages/buffer-cache/src/page-space.ts',
    edits: [
      {
        find: '    let target = frame;\n    if (table.writes[frame] > 0) {',
        replace:
          '    let target = frame;\n    if (table.writes[frame] > 0) { table.delta[frame] = delta; return frame; }\n    if (table.writes[frame] > 0) {',
      },
    ],
    scenarios: ['volume/held flushes', 'volume/concurrent', 'volume/late'],
  },
  {
    name: 'data-not-copied-by-an-opening',
    breaks: 'an opening copies what the last kept delta lists, data too (opening)',
    file: 'packages/filemap/src/relocation.ts',
    edits: [
      {
        find: '  if (extent === null) return null;\n',
        replace: '  if (extent !== null || key.length > 0) return null;\n',
      },
    ],
    scenarios: ['volume/faulty', 'volume/faulty tiny', 'volume/stale lives'],
  },
  {
    name: 'pages-given-up-while-being-written',
    breaks: 'a buffer is not let go before its write has returned (commit; found by this lab)',
    file: 'packages/filemap/src/file-state.ts',
    edits: [
      {
        find: 'if (this.#isBeingWritten(this.pages) || !this.pages.isSettled) return',
        replace: 'if (this.#isBeingWritten(this.pages)) return',
      },
    ],
    scenarios: ['volume/late'],
  },
  {
    name: 'orphan-not-recorded',
    breaks: 'unbounded work first records an intent (space)',
    file: 'packages/volume/src/orphans.ts',
    edits: [{ find: '      this.#head.staging.markOrphan(inode.number, true);', replace: '      void inUse;' }],
    scenarios: volumes,
  },
];
