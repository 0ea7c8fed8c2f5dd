import { describe, expect, it } from 'vitest';
import { decodeGone } from '../src/promise-format.ts';
import { TreeSealer } from '../src/sealing.ts';
import type { StoreCore } from '../src/store-core.ts';
import { TreeState } from '../src/tree-state.ts';

/** A tree of which only the leaves that come and go are looked at. */
class Leaves {
  readonly state = new TreeState({} as StoreCore, 1);

  created(separator: string): void {
    this.state.leafCreated(encode(separator), separator.length);
  }

  gone(separator: string, next: string | null): void {
    const nextBytes = encode(next ?? '');
    this.state.leafGone(encode(separator), separator.length, nextBytes, next === null ? -1 : nextBytes.length);
  }

  /** What the log is told: 'a' for one leaf, 'a..c' for those that begin in [a, c). */
  told(): string[] {
    const told: string[] = [];
    const gone = (payload: Uint8Array): void => {
      const promise = decodeGone(payload, 100);
      if (promise.type === 'leaf') told.push(decode(promise.separator));
      if (promise.type === 'leaves') told.push(`${decode(promise.separator)}..${decode(promise.end)}`);
    };
    new TreeSealer(this.state.core).sealAll([this.state], { delta: 5, gone, at() {}, writeLeaf() {} });
    return told;
  }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

describe('what the log is told of leaves that are gone', () => {
  it('one by one, from the last to the first', () => {
    const leaves = new Leaves();
    leaves.gone('c', 'd');
    leaves.gone('k', null);
    expect(leaves.told()).toEqual(['k', 'c']);
  });

  it('in one range when they go one after the other', () => {
    const leaves = new Leaves();
    leaves.gone('c', 'd');
    leaves.gone('d', 'f');
    leaves.gone('f', 'h');
    expect(leaves.told()).toEqual(['c..h']);
  });

  it('not at all when it was made in the same delta, or when it came again', () => {
    const leaves = new Leaves();
    leaves.created('c');
    leaves.gone('c', 'd');
    leaves.gone('m', 'p');
    leaves.created('m');
    expect(leaves.told()).toEqual([]);
  });

  /**
   * Symptom: after a crash a leaf was there again whose block had been given to somebody else ("damaged leaf: wrong checksum").
   * Mechanism: a leaf that went, came again and went again had begun a range of its own inside another; told was the outer range only.
   * Consequence: the leaves between the two ends stayed in the index that recovery rebuilt.
   * Fix: ranges that overlap are told as one.
   */
  it('as one range when two overlap', () => {
    const leaves = new Leaves();
    leaves.gone('m', 'p');
    leaves.gone('c', 'p');
    leaves.gone('p', 'r');
    leaves.created('m');
    leaves.gone('m', 'r');
    leaves.gone('r', 't');
    expect(leaves.told()).toEqual(['c..t']);
  });

  it('as the outer range alone when one lies inside the other', () => {
    const leaves = new Leaves();
    leaves.gone('m', 'p');
    leaves.gone('c', 'p');
    leaves.gone('p', 'r');
    expect(leaves.told()).toEqual(['c..r']);
  });
});
