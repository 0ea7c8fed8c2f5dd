/** What is told about leaves that are gone, against sets: told leaves taken away from those of the last boundary, and new places added, give what there is. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LeafHistory } from '../src/leaf-history.ts';

const letter = fc.constantFrom('', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k');
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('gone' as const), at: fc.nat(), knowsNext: fc.boolean() }) },
  // Leaves going one after the other, from one on.
  { weight: 2, arbitrary: fc.record({ type: fc.constant('run' as const), at: fc.nat(), count: fc.nat(6) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('made' as const), separator: letter }) },
);

describe('the history of leaves', () => {
  it('tells exactly what replay needs', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(letter, { maxLength: 12 }),
        fc.array(fc.array(step, { maxLength: 40, size: 'max' }), { maxLength: 3 }),
        (initial, deltas) => {
          const history = new LeafHistory();
          let boundary = new Set<string>(initial);
          const present = new Set<string>(initial);
          for (const steps of deltas) {
            // Leaves that were made in this delta, and so will be told to be somewhere.
            const made = new Set<string>();
            const go = (separator: string, knowsNext: boolean): void => {
              const following = [...present].filter((other) => other > separator).sort();
              history.gone(separator, knowsNext ? (following[0] ?? null) : null);
              present.delete(separator);
              made.delete(separator);
            };
            for (const current of steps) {
              const all = [...present].sort();
              if (current.type === 'made') {
                if (present.has(current.separator)) continue;
                history.created(current.separator);
                present.add(current.separator);
                made.add(current.separator);
              } else if (all.length > 0) {
                const first = current.at % all.length;
                if (current.type === 'gone') go(all[first]!, current.knowsNext);
                else for (const separator of all.slice(first, first + current.count)) go(separator, true);
              }
            }
            const replayed = new Set(boundary);
            let before = -1;
            const summary = history.summary();
            for (const { first, end } of summary.reverse()) {
              const removed = [...replayed].filter((s) => (end === null ? s === first : s >= first && s < end));
              expect(removed.length, `${first} to ${end}`).toBeGreaterThan(0);
              for (const separator of removed) replayed.delete(separator);
              before++;
            }
            expect(before + 1).toBe(summary.length);
            for (const separator of made) replayed.add(separator);
            expect([...replayed].sort()).toEqual([...present].sort());
            history.clear();
            boundary = new Set(present);
          }
        },
      ),
      { numRuns: 1500 },
    );
  });
});
