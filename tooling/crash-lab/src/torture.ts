/**
 * Torture: processes that write to a volume, or to a store of keys and values, are killed with SIGKILL at random moments; what the next
 * opening finds is judged against their journal. That opening is asked for at once, while the killed process may still be there with writes
 * under way: it is locked out until they have ended.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LockedError } from '@outwrite/blockdev';
import { openFileDevice } from '@outwrite/blockdev/node';
import { Random } from '@outwrite/testkit';
import { bundleWorker } from './lab-bundle.ts';
import type { Subject } from './layer.ts';
import { digestOf, type Tortured, tortured, tortureSettings } from './torture-settings.ts';

export interface TortureReport {
  killCount: number;
  /** Acknowledged commits in all journals. */
  ackCount: number;
  losses: string[];
}

export interface TortureOptions {
  seconds: number;
  seed: number;
  progress?: (report: TortureReport) => void;
}

const LONGEST_LIFE_MS = 2500;
/** A killed process is gone by then. */
const LOCK_LIMIT_MS = 10_000;

export async function torture(options: TortureOptions): Promise<TortureReport> {
  const random = new Random(options.seed);
  const report: TortureReport = { killCount: 0, ackCount: 0, losses: [] };
  const folder = mkdtempSync(join(tmpdir(), 'outwrite-torture-'));
  const journalPath = join(folder, 'journal');
  const writerPath = join(folder, 'writer.cjs');
  const pathOf = (what: string): string => join(folder, what);
  try {
    writeFileSync(writerPath, await bundleWorker('torture-writer.ts'));
    for (const [what, { layer }] of Object.entries(tortured)) {
      await layer.format(openFileDevice(pathOf(what), { create: true }), tortureSettings, random).close();
    }
    const end = Date.now() + options.seconds * 1000;
    while (Date.now() < end) {
      const what = random.pick(Object.keys(tortured));
      const volumePath = pathOf(what);
      writeFileSync(journalPath, '');
      const { gone } = await killedWriter(
        [writerPath, what, volumePath, journalPath, String(random.u32())],
        random.between(30, LONGEST_LIFE_MS),
      );
      if (random.chance(0.5)) await gone;
      report.killCount++;
      const loss = await judgeVolume(tortured[what]!, volumePath, journalPath, report, random);
      if (loss !== null) report.losses.push(`kill ${report.killCount} (${what}) of seed ${options.seed}: ${loss}`);
      await gone;
      options.progress?.(report);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return report;
}

/** Starts a writer and kills it. Resolves when the signal was sent, with a promise of its end. */
function killedWriter(commandArguments: string[], lifeMs: number): Promise<{ gone: Promise<void> }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, commandArguments, { stdio: ['ignore', 'ignore', 'inherit'] });
    const gone = new Promise<void>((ended) => void child.on('exit', () => ended()));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      resolve({ gone });
    }, lifeMs);
    child.on('exit', () => {
      clearTimeout(timer);
      resolve({ gone });
    });
  });
}

/** Opens the volume as soon as its writer lets go of it. */
async function openedAtOnce({ layer }: Tortured, path: string, random: Random): Promise<Subject> {
  const end = Date.now() + LOCK_LIMIT_MS;
  for (;;) {
    try {
      return layer.open(openFileDevice(path), tortureSettings, { readOnly: false, random });
    } catch (error) {
      if (!(error instanceof LockedError) || Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

/** Opens the volume and says what is wrong, or null. */
async function judgeVolume(
  what: Tortured,
  path: string,
  journalPath: string,
  report: TortureReport,
  random: Random,
): Promise<string | null> {
  let subject: Subject;
  try {
    subject = await openedAtOnce(what, path, random);
  } catch (error) {
    return `the volume does not open: ${(error as Error).stack}`;
  }
  // Nobody writes to it any more. The last line may have been cut off by the kill.
  const journal = readFileSync(journalPath, 'utf8');
  const lines = journal
    .slice(0, journal.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1);
  const digests = new Map<number, string | null>();
  let acked = -1;
  /** The delta in which an operation began that has no end in the journal. */
  let begun = Number.POSITIVE_INFINITY;
  for (const line of lines) {
    const [kind, first, second] = line.split(' ') as [string, string, string];
    if (kind === 'E') {
      await subject.close();
      return line;
    }
    if (kind === 'B') begun = Number(first);
    if (kind === 'S') begun = Number.POSITIVE_INFINITY;
    if (kind === 'S') digests.set(Number(first), second);
    if (kind === 'U') for (let delta = Number(first); delta < Number(second); delta++) digests.set(delta, null);
    if (kind === 'A') {
      report.ackCount++;
      acked = Math.max(acked, Number(first));
    }
  }
  try {
    const { delta } = subject.recovery!;
    if (delta < acked) return `delta ${acked} was acknowledged, recovery ends with ${delta}`;
    const known = [...digests.keys()].filter((candidate) => candidate <= delta);
    const expected = known.length === 0 ? undefined : digests.get(Math.max(...known));
    if (delta < begun && expected != null && expected !== digestOf(subject.content())) {
      return `the content at the end of delta ${delta} is another than the journal says`;
    }
    const findings = subject.audit();
    if (findings.length > 0) return `check: ${findings.slice(0, 5).join('; ')}`;
    return null;
  } catch (error) {
    return `judging failed: ${(error as Error).stack}`;
  } finally {
    await subject.close();
  }
}
