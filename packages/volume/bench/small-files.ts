/**
 * Small files, as the field measures them: create, stat, read, list, rename, unlink; files of one size in a few directories.
 *
 * The same functions are called on a volume and on a folder of `node:fs` (a memory file system where there is one), round by round in
 * turn. Creations, renames and removals on the volume include the commit, so they are durable; in the folder they are not.
 */

import * as nodeFs from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVolume, type NodeFs } from '../src/node.ts';

export interface SmallFilesEffort {
  files: number;
  directories: number;
  sizeBytes: number;
  rounds: number;
}

export interface SmallFilesFigure {
  verb: string;
  /** Operations a second, medians of the rounds. */
  volume: number;
  folder: number;
}

type Fs = Pick<
  NodeFs,
  | 'mkdirSync'
  | 'writeFileSync'
  | 'statSync'
  | 'readFileSync'
  | 'readdirSync'
  | 'renameSync'
  | 'unlinkSync'
  | 'rmdirSync'
>;

const VERBS = ['create', 'stat', 'read', 'list', 'rename', 'unlink'] as const;

/** Runs the verbs once; returns operations a second for each. */
function runOnce(fs: Fs, base: string, effort: SmallFilesEffort, commit: () => void): number[] {
  const content = Buffer.alloc(effort.sizeBytes, 7);
  const perDirectory = Math.ceil(effort.files / effort.directories);
  const timed = (operationCount: number, run: (directory: string) => void): number => {
    const start = performance.now();
    for (let i = 0; i < effort.directories; i++) run(`${base}/d${i}`);
    commit();
    return (operationCount / (performance.now() - start)) * 1000;
  };
  const each = (run: (directory: string, index: number) => void) => (directory: string) => {
    for (let i = 0; i < perDirectory; i++) run(directory, i);
  };
  const fileCount = perDirectory * effort.directories;
  const rates = [
    timed(fileCount, (directory) => {
      fs.mkdirSync(directory);
      each((at, i) => fs.writeFileSync(`${at}/file${i}`, content))(directory);
    }),
    timed(
      fileCount,
      each((at, i) => fs.statSync(`${at}/file${i}`)),
    ),
    timed(
      fileCount,
      each((at, i) => fs.readFileSync(`${at}/file${i}`)),
    ),
    timed(fileCount, (directory) => fs.readdirSync(directory)),
    timed(
      fileCount,
      each((at, i) => fs.renameSync(`${at}/file${i}`, `${at}/other${i}`)),
    ),
    timed(
      fileCount,
      each((at, i) => fs.unlinkSync(`${at}/other${i}`)),
    ),
  ];
  for (let i = 0; i < effort.directories; i++) fs.rmdirSync(`${base}/d${i}`);
  commit();
  return rates;
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Measures all verbs. `memoryFolder` is the folder to compare with. */
export function benchSmallFiles(effort: SmallFilesEffort, memoryFolder: string = tmpdir()): SmallFilesFigure[] {
  const folder = mkdtempSync(join(memoryFolder, 'outwrite-bench-'));
  const home = mkdtempSync(join(tmpdir(), 'outwrite-bench-'));
  const volume = createVolume(join(home, 'volume'), { autoCommitMilliseconds: 0 });
  try {
    const onVolume: number[][] = [];
    const onFolder: number[][] = [];
    for (let round = 0; round < effort.rounds; round++) {
      onVolume.push(runOnce(volume.fs, '', effort, () => volume.commitSync()));
      onFolder.push(runOnce(nodeFs as unknown as Fs, folder, effort, () => {}));
    }
    return VERBS.map((verb, index) => ({
      verb,
      volume: median(onVolume.map((rates) => rates[index])),
      folder: median(onFolder.map((rates) => rates[index])),
    }));
  } finally {
    volume.closeSync();
    rmSync(home, { recursive: true });
    rmSync(folder, { recursive: true });
  }
}
