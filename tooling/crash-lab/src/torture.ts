/**
 * Torture: processes that write to a volume are killed with SIGKILL at random moments; what the next opening finds is judged against
 * their journal.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileDevice } from '@outwrite/blockdev/node';
import { Random } from '@outwrite/testkit';
import { bundleWorker } from './lab-bundle.ts';
import { volumeLayer } from './layers/volume-layer.ts';
import { digestOf, tortureSettings } from './torture-settings.ts';

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

export async function torture(options: TortureOptions): Promise<TortureReport> {
  const random = new Random(options.seed);
  const report: TortureReport = { killCount: 0, ackCount: 0, losses: [] };
  const folder = mkdtempSync(join(tmpdir(), 'outwrite-torture-'));
  const volumePath = join(folder, 'volume');
  const journalPath = join(folder, 'journal');
  const writerPath = join(folder, 'writer.cjs');
  try {
    writeFileSync(writerPath, await bundleWorker('torture-writer.ts'));
    const made = volumeLayer.format(openFileDevice(volumePath, { create: true }), tortureSettings, random);
    await made.close();
    const end = Date.now() + options.seconds * 1000;
    while (Date.now() < end) {
      writeFileSync(journalPath, '');
      await killedWriter(
        [writerPath, volumePath, journalPath, String(random.u32())],
        random.between(30, LONGEST_LIFE_MS),
      );
      report.killCount++;
      const loss = await judgeVolume(volumePath, readFileSync(journalPath, 'utf8'), report, random);
      if (loss !== null) report.losses.push(`kill ${report.killCount} of seed ${options.seed}: ${loss}`);
      options.progress?.(report);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return report;
}

function killedWriter(commandArguments: string[], lifeMs: number): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, commandArguments, { stdio: ['ignore', 'ignore', 'inherit'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), lifeMs);
    child.on('exit', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Opens the volume and says what is wrong, or null. */
async function judgeVolume(
  path: string,
  journal: string,
  report: TortureReport,
  random: Random,
): Promise<string | null> {
  // The last line may have been cut off by the kill.
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
    if (kind === 'E') return line;
    if (kind === 'B') begun = Number(first);
    if (kind === 'S') begun = Number.POSITIVE_INFINITY;
    if (kind === 'S') digests.set(Number(first), second);
    if (kind === 'U') for (let delta = Number(first); delta < Number(second); delta++) digests.set(delta, null);
    if (kind === 'A') {
      report.ackCount++;
      acked = Math.max(acked, Number(first));
    }
  }
  let subject: ReturnType<typeof volumeLayer.open>;
  try {
    subject = volumeLayer.open(openFileDevice(path), tortureSettings, { readOnly: false, random });
  } catch (error) {
    return `the volume does not open: ${(error as Error).stack}`;
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
