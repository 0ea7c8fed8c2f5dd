/**
 * Crashes of a workload over trees: whatever a crash leaves opens, checks clean, accounts for every block, and holds an acknowledged state
 * or a later one. Opening it a second time gives the same, and crashes of the opening itself are explored, too.
 */

import type { SimulatedDevice } from '@outwrite/blockdev/testing';
import { everyCrashPoint, Random, testSeed, unevenHold } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { type Tree, TreeStore } from '../src/index.ts';
import { auditStore, text } from './store-audit.ts';

const seed = testSeed('tree crashes');

/** All trees and entries as one string; equal strings mean equal stores. */
function contentOf(store: TreeStore): string {
  const lines: string[] = [];
  for (const id of store.treeIds()) {
    lines.push(`tree ${id}`);
    for (const [key, value] of store.tree(id).entries()) {
      lines.push(`${String.fromCharCode(...key)}=${value.length}:${value[0] ?? '-'}`);
    }
  }
  return lines.join('\n');
}

const options = { cacheBytes: 512 * 128, bounds: { zeroAheadBytes: 0, logBlocks: 6, flushFirstBytes: 512 * 24 } };

/** Changes trees at random; closes a state every few steps, and notes its index on the device when it is acknowledged. */
async function run(device: SimulatedDevice, states: string[], workloadSeed: number): Promise<void> {
  const random = new Random(workloadSeed);
  const store = TreeStore.format(device, { blockSize: 512, ...options });
  states.push(contentOf(store));
  device.note(states.length - 1);
  const trees: Tree[] = [store.createTree()];
  for (let step = 0; step < 90; step++) {
    const tree = random.pick(trees);
    const draw = random.below(100);
    const key = text(`k${random.below(60)}`.padEnd(4 + random.below(2) * 30, '.'));
    if (draw < 55)
      tree.put(key, new Uint8Array(random.chance(0.1) ? 900 + random.below(1500) : random.below(60)).fill(step));
    else if (draw < 75) tree.delete(key);
    else if (draw < 78) tree.deleteRange(key, null);
    else if (draw < 80) trees.push(store.createTree());
    else if (draw < 82 && trees.length > 1) store.dropTree(trees.splice(random.below(trees.length), 1)[0]!.id);
    else {
      states.push(contentOf(store));
      const index = states.length - 1;
      if (draw < 88) store.commitSync();
      else if (draw < 95) await store.commit();
      else if (draw < 98) store.checkpointSync();
      else await store.checkpoint();
      device.note(index);
    }
  }
  states.push(contentOf(store));
  await store.close();
  device.note(states.length - 1);
}

/**
 * The same with commits and checkpoints that nobody waits for, on a device whose requests take their time. A delta may close after any step,
 * so the state after each of them is kept.
 */
async function runAtOnce(device: SimulatedDevice, states: string[], workloadSeed: number): Promise<void> {
  const random = new Random(workloadSeed);
  const store = TreeStore.format(device, { blockSize: 512, ...options });
  const tree = store.createTree();
  states.push(contentOf(store));
  store.commitSync();
  device.note(states.length - 1);
  const waiting: Promise<unknown>[] = [];
  for (let step = 0; step < 160; step++) {
    const draw = random.below(100);
    const key = text(`k${random.below(80)}`.padEnd(4 + random.below(2) * 30, '.'));
    if (draw < 50) tree.put(key, new Uint8Array(random.chance(0.05) ? 700 : random.below(60)).fill(step));
    else if (draw < 70) tree.delete(key);
    else if (draw < 85) await Promise.resolve();
    else {
      const index = states.length - 1;
      if (draw < 95) waiting.push(store.commit().then(() => device.note(index)));
      else if (draw < 98) waiting.push(store.checkpoint().then(() => device.note(index)));
      else {
        store.commitSync();
        device.note(index);
      }
    }
    states.push(contentOf(store));
    if (step % 20 === 0) store.checkInvariants();
  }
  await Promise.all(waiting);
  auditStore(store);
  await store.close();
  device.note(states.length - 1);
}

describe('crashes', () => {
  it.each([1, 2, 3])(
    'with much in flight leave an acknowledged state or a later one (workload %i)',
    async (workload) => {
      let states: string[] = [];
      const hold = unevenHold(new Random(seed + workload));
      await everyCrashPoint(
        async (device) => {
          states = [];
          await runAtOnce(device, states, seed + workload);
        },
        ({ device, notes }) => {
          const acknowledged = Math.max(-1, ...(notes as number[]));
          if (acknowledged < 0) return;
          const store = TreeStore.open(device, options);
          auditStore(store);
          const content = contentOf(store);
          expect(states.lastIndexOf(content), `state after a crash: ${content}`).toBeGreaterThanOrEqual(acknowledged);
        },
        {
          seed: seed + workload,
          pieceBytes: 512,
          maxStates: 300,
          device: { sizeBytes: 0, maxSizeBytes: 4 * 1024 * 1024, hold },
        },
      );
    },
  );

  it.each([1, 2, 3])('leave an acknowledged state or a later one (workload %i)', async (workload) => {
    let states: string[] = [];
    const report = await everyCrashPoint(
      async (device) => {
        states = [];
        await run(device, states, seed + workload);
      },
      async ({ device, notes }) => {
        const acknowledged = Math.max(-1, ...(notes as number[]));
        let store: TreeStore;
        try {
          store = TreeStore.open(device, options);
        } catch (error) {
          // Before formatting was acknowledged there is no volume yet.
          if (acknowledged < 0) return;
          throw error;
        }
        auditStore(store);
        const content = contentOf(store);
        const index = states.lastIndexOf(content);
        expect(index, `state after a crash: ${content}`).toBeGreaterThanOrEqual(acknowledged);
        // And it goes on working.
        store.createTree().put(text('after'), text('the crash'));
        store.commitSync();
        auditStore(store);
        await store.close();
      },
      {
        seed: seed + workload,
        pieceBytes: 512,
        maxStates: 700,
        device: { sizeBytes: 0, maxSizeBytes: 4 * 1024 * 1024 },
      },
    );
    expect(report.stateCount).toBeGreaterThan(100);
  });
});
