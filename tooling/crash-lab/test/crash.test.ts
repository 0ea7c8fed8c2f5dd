/**
 * A small exploration in every run of the tests; the command `crash` does more of the same.
 */
import { testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { crashRun } from '../src/crash-run.ts';
import { CRASH_KINDS } from '../src/explore.ts';
import { FAULT_KINDS } from '../src/fault-count.ts';
import { type AckNote, Journal, judge, lastAck } from '../src/journal.ts';
import type { Model } from '../src/layer.ts';
import { scenarios } from '../src/scenarios.ts';

describe('crashes', () => {
  it.each(['registers', 'trees', 'entries', 'volume', 'calls'])(
    'of %s violate nothing',
    { timeout: 180_000 },
    async (layer) => {
      const { violations, stateCount } = await crashRun({
        stateCount: 1000,
        seed: testSeed(`crashes of ${layer}`),
        scenarios: scenarios.map(({ name }) => name).filter((name) => name.startsWith(`${layer}/`)),
      });
      expect(violations).toEqual([]);
      expect(stateCount).toBeGreaterThanOrEqual(1000);
    },
  );
});

describe('every kind of crash and fault', () => {
  it('occurs, and violates nothing', { timeout: 180_000 }, async () => {
    const { violations, stateCountByKind, faultCountByKind } = await crashRun({
      stateCount: 3300,
      seed: 1,
      scenarios: [
        'registers/faulty',
        'trees/faulty concurrent',
        'volume/faulty',
        'calls/concurrent',
        'registers/late',
        'calls/short space',
      ],
    });
    expect(violations).toEqual([]);
    for (const kind of CRASH_KINDS) expect(stateCountByKind[kind] ?? 0, kind).toBeGreaterThan(0);
    for (const kind of FAULT_KINDS) expect(faultCountByKind[kind] ?? 0, kind).toBeGreaterThan(0);
  });
});

class TextModel implements Model {
  readonly value: string;

  constructor(value: string) {
    this.value = value;
  }

  text(): string {
    return this.value;
  }

  clone(): TextModel {
    return new TextModel(this.value);
  }
}

describe('the journal', () => {
  const journal = new Journal();
  const life = journal.beginLife(3, new TextModel('three'));
  journal.record(life, 4, new TextModel('four, half'));
  journal.record(life, 4, new TextModel('four'));
  journal.recordPart(life, 5, 7);
  journal.record(life, 7, new TextModel('seven'));
  const ack: AckNote = { journal, life, delta: 4 };

  it('accepts exactly the content at the end of the recovered delta', () => {
    expect(judge(ack, 4, 'four')?.text()).toBe('four');
    expect(judge(ack, 7, 'seven')?.text()).toBe('seven');
    expect(() => judge(ack, 4, 'four, half')).toThrow('wrong content');
    expect(() => judge(ack, 7, 'four')).toThrow('wrong content');
  });

  it('refuses what is older than the acknowledged delta', () => {
    expect(() => judge(ack, 3, 'three')).toThrow('lost');
  });

  it('does not judge the content in the middle of an operation in steps', () => {
    expect(judge(ack, 6, 'anything')).toBeNull();
  });

  it('counts the life that was opened last', () => {
    const next = journal.beginLife(4, new TextModel('four'));
    const notes: AckNote[] = [ack, { ...ack, delta: 7 }, { journal, life: next, delta: 4 }];
    expect(lastAck(notes)).toEqual({ journal, life: next, delta: 4 });
    expect(lastAck([])).toBeUndefined();
  });
});
