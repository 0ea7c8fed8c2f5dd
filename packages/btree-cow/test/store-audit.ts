/** What the tests of the store share: a full check with a balance of the space, and a model to compare with. */
import { SpaceAudit } from '@outwrite/alloc-log';
import { compareBytes, MemoryDevice, setVerification } from '@outwrite/blockdev';
import { expect } from 'vitest';
import { type Tree, TreeStore, type TreeStoreFormatOptions } from '../src/index.ts';

setVerification(true);

/** Checks everything, and that every used block is reached exactly once. */
export function auditStore(store: TreeStore): void {
  store.checkInvariants();
  const audit = new SpaceAudit(store.log);
  const findings: string[] = [];
  store.check({
    block(start, count, kind, treeId) {
      for (const finding of audit.reach(start, count, `${kind} of tree ${treeId}`))
        findings.push(`${finding.message}: ${finding.block}`);
    },
    problem(error) {
      findings.push(error.message);
    },
  });
  for (const finding of audit.finish()) findings.push(`${finding.message}: ${finding.block}+${finding.blockCount}`);
  expect(findings).toEqual([]);
  const { usedBlocks, freeBlocks, waitingBlocks, reservedBlocks, limitBlocks } = store.stats();
  expect(usedBlocks + freeBlocks + waitingBlocks + reservedBlocks).toBe(limitBlocks);
}

export function compare(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}

/** A sorted array with the operations of a tree. */
export class ModelTree {
  pairs: { key: Uint8Array; value: Uint8Array }[] = [];

  clone(): ModelTree {
    const copy = new ModelTree();
    copy.pairs = this.pairs.slice();
    return copy;
  }

  /** Index of the first pair that is not less than `key`. */
  indexOf(key: Uint8Array): number {
    let low = 0;
    let high = this.pairs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(this.pairs[middle]!.key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const pair = this.pairs[this.indexOf(key)];
    return pair !== undefined && compare(pair.key, key) === 0 ? pair.value : undefined;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    const index = this.indexOf(key);
    const pair = this.pairs[index];
    const isThere = pair !== undefined && compare(pair.key, key) === 0;
    this.pairs.splice(index, isThere ? 1 : 0, { key: key.slice(), value: value.slice() });
  }

  delete(key: Uint8Array): boolean {
    if (this.get(key) === undefined) return false;
    this.pairs.splice(this.indexOf(key), 1);
    return true;
  }

  deleteRange(from: Uint8Array | null, to: Uint8Array | null): number {
    const start = from === null ? 0 : this.indexOf(from);
    const end = to === null ? this.pairs.length : this.indexOf(to);
    if (end <= start) return 0;
    return this.pairs.splice(start, end - start).length;
  }
}

/** Compares all entries, and a look-up of each. */
export function expectEqual(tree: Tree, model: ModelTree): void {
  const pairs = [...tree.entries()];
  expect(pairs.length).toBe(model.pairs.length);
  for (let i = 0; i < pairs.length; i++) {
    const [key, value] = pairs[i]!;
    const expected = model.pairs[i]!;
    if (compare(key, expected.key) !== 0 || compare(value, expected.value) !== 0) {
      expect({ i, key, value }).toEqual({ i, ...expected });
    }
    const found = tree.get(expected.key);
    if (found === undefined || compare(found, expected.value) !== 0) expect(found).toEqual(expected.value);
  }
}

export function formatInMemory(
  options: TreeStoreFormatOptions = {},
  maxSizeBytes: number = 64 * 1024 * 1024,
): { device: MemoryDevice; store: TreeStore } {
  const device = new MemoryDevice({ maxSizeBytes });
  return { device, store: TreeStore.format(device, { cacheBytes: 2 * 1024 * 1024, ...options }) };
}

/** Opens a copy of what is on the device now, as after a kill: what was written stays, the process is gone. */
export function openCopy(device: MemoryDevice, options: { readOnly?: boolean } = {}): TreeStore {
  const copy = MemoryDevice.fromImage(device.snapshot(), { maxSizeBytes: device.maxSizeBytes });
  return TreeStore.open(copy, { cacheBytes: 2 * 1024 * 1024, ...options });
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
