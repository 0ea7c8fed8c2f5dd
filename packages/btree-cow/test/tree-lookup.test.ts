/**
 * Look-ups compare less of a key the further down they are, since its place between two separators says how it begins. Here every key and all its
 * near misses are looked up in trees whose nodes have prefixes of all lengths, and first and last children that do not share them.
 */
import { describe, expect, it } from 'vitest';
import { formatInMemory, text } from './store-audit.ts';

/** Some hundred keys under each beginning, so that nodes lie within one of them, and others across two. */
function keysUnder(beginnings: readonly string[]): string[] {
  return beginnings.flatMap((beginning) =>
    Array.from({ length: 300 }, (_, i) => beginning + String(i * 37).padStart(5, '0')),
  );
}

/** Keys that differ from `key` in one byte, are longer by one, or end early. */
function* nearMisses(key: string): Generator<string> {
  for (let i = 0; i < key.length; i++) {
    for (const step of [-1, 1]) {
      yield key.slice(0, i) + String.fromCharCode(key.charCodeAt(i) + step) + key.slice(i + 1);
    }
    if (i > 0) yield key.slice(0, i);
  }
  yield `${key}0`;
}

describe('a look-up', () => {
  it.each([
    { beginnings: ['a', 'b'] },
    { beginnings: ['', 'a', 'ab', 'abc'] },
    { beginnings: ['project/src/one/', 'project/src/two/', 'project/test/', 'z'] },
    { beginnings: ['same-long-beginning-', 'same-long-beginning-same-long-beginning-', 't'] },
  ])('finds what is there and nothing else under $beginnings', ({ beginnings }) => {
    const { store } = formatInMemory({ blockSize: 512 });
    const tree = store.createTree();
    const keys = keysUnder(beginnings);
    for (const key of keys) tree.put(text(key), text(`value of ${key}`));
    expect(tree.height).toBeGreaterThan(1);
    const present = new Set(keys);
    const into = new Uint8Array(64);
    for (const key of keys) {
      expect(textOf(tree.get(text(key))!)).toBe(`value of ${key}`);
      for (const miss of nearMisses(key)) {
        if (tree.has(text(miss)) !== present.has(miss)) throw new Error(`${miss} is looked up wrongly`);
        if (!present.has(miss) && tree.getInto(text(miss), into) !== -1) throw new Error(`${miss} has a value`);
      }
    }
  });
});

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
