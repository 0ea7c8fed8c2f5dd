/**
 * Every single fault of a workload in turn: a read, write, flush or growth that fails. The error reaches the caller, nothing acknowledged is
 * lost, what is in memory stays consistent, and the volume opens again with every block accounted for.
 */
import { DeviceError, MemoryDevice, OutwriteError } from '@outwrite/blockdev';
import type { SimulatedDevice } from '@outwrite/blockdev/testing';
import { everyFault, Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { TreeStore } from '../src/index.ts';
import { auditStore, expectEqual, ModelTree, text } from './store-audit.ts';

const options = { cacheBytes: 512 * 24, bounds: { zeroAheadBytes: 0, logBlocks: 5, flushFirstBytes: 512 * 12 } };

function contentOf(store: TreeStore): string {
  const lines: string[] = [];
  for (const id of store.treeIds()) {
    for (const [key, value] of store.tree(id).entries()) {
      lines.push(`${id} ${String.fromCharCode(...key)}=${value.length}:${value[0] ?? '-'}`);
    }
  }
  return lines.join('\n');
}

function run(device: SimulatedDevice, states: string[]): void {
  const store = TreeStore.format(device, { blockSize: 512, ...options });
  const settle = (act: () => void): void => {
    states.push(contentOf(store));
    const index = states.length - 1;
    act();
    device.note(index);
  };
  settle(() => store.commitSync());
  const tree = store.createTree();
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 60; i++) {
      tree.put(text(`key ${(i * 13 + round * 7) % 90}`), new Uint8Array(i % 17 === 0 ? 1500 : i % 50).fill(round));
    }
    settle(() => store.commitSync());
    for (let i = 0; i < 90; i += 4) tree.delete(text(`key ${(i + round) % 90}`));
    if (round === 2) store.dropTree(store.createTree().id);
    if (round % 2 === 0) settle(() => store.checkpointSync());
  }
  tree.deleteRange(text('key 3'), text('key 7'));
  settle(() => store.closeSync());
}

describe('a store on a device of which one call fails', () => {
  it('tells the error and loses nothing that was acknowledged', async () => {
    let states: string[] = [];
    const report = await everyFault(
      (device) => {
        states = [];
        run(device, states);
      },
      ({ error, device, notes, fault }) => {
        // Growing ahead is optional, so a fault there may be got over.
        if (error === undefined) expect(['grow', 'read']).toContain(fault.operation);
        else expect(error).toBeInstanceOf(OutwriteError);
        const acknowledged = Math.max(-1, ...(notes as number[]));
        if (acknowledged < 0) return;
        const store = TreeStore.open(device.kill(), options);
        auditStore(store);
        expect(states.lastIndexOf(contentOf(store))).toBeGreaterThanOrEqual(acknowledged);
      },
      { device: { maxSizeBytes: 1024 * 1024 } },
    );
    expect(report.runCount).toBeGreaterThan(60);
    expect(Math.min(...Object.values(report.runCountByOperation))).toBeGreaterThan(0);
  });

  it('an operation whose read fails has changed nothing, and goes through when it is tried again', () => {
    const device = new MemoryDevice({ maxSizeBytes: 4 * 1024 * 1024 });
    let readsToFailure = Number.POSITIVE_INFINITY;
    const readSync = device.readSync.bind(device);
    device.readSync = (position, buffers) => {
      if (--readsToFailure === 0) throw new DeviceError({ operation: 'read', position }, 'the read failed');
      readSync(position, buffers);
    };
    const store = TreeStore.format(device, { blockSize: 512, ...options });
    const tree = store.createTree();
    const model = new ModelTree();
    const put = (key: string, value: Uint8Array): void => {
      tree.put(text(key), value);
      model.put(text(key), value);
    };
    for (let i = 0; i < 1500; i++) put(`key ${10000 + i}`, new Uint8Array(i % 90 === 0 ? 2000 : 30).fill(i));
    store.checkpointSync();
    const random = new Random(testSeed('failing reads'));
    let failedCount = 0;
    for (let round = 0; round < 250; round++) {
      // What is needed next is rarely in a cache of 24 blocks.
      const key = text(`key ${10000 + random.below(1500)}`);
      const value = new Uint8Array(random.below(90)).fill(round);
      const isPut = random.chance(0.4);
      readsToFailure = 1 + random.below(3);
      for (let attempt = 0; ; attempt++) {
        const version = tree.version;
        try {
          if (isPut) {
            tree.put(key, value);
            model.put(key, value);
          } else {
            expect(tree.delete(key)).toBe(model.delete(key));
          }
          break;
        } catch (error) {
          expect(error).toMatchObject({ code: 'EIO' });
          expect(attempt).toBe(0);
          expect(tree.version).toBe(version);
          failedCount++;
        }
        expect(store.log.cache.stats.pinnedFrameCount).toBe(0);
      }
      readsToFailure = Number.POSITIVE_INFINITY;
      if (round % 5 === 0) store.checkpointSync();
      if (round % 10 === 0) {
        expectEqual(tree, model);
        auditStore(store);
      }
    }
    expect(failedCount).toBeGreaterThan(50);
    store.commitSync();
    expectEqual(tree, model);
    auditStore(store);
  });
});
