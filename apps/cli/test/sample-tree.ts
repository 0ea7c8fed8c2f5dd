/**
 * Directory trees for tests: small ones with one of everything, and generated ones of any size.
 */
import { chmodSync, linkSync, lutimesSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SeededRandom } from '../src/demo/seeded-random.ts';

const OLD = 1_500_000_000;

/** Files of several sizes, an executable, links of both kinds, empty directories, names that need care, old times. */
export function writeSampleTree(root: string): void {
  mkdirSync(join(root, 'docs', 'empty'), { recursive: true });
  mkdirSync(join(root, 'bin'));
  writeFileSync(join(root, 'docs', 'hello.txt'), 'hello\n');
  writeFileSync(join(root, 'docs', 'nothing'), '');
  writeFileSync(join(root, 'docs', 'größe – 大小.txt'), 'names in UTF-8\n');
  writeFileSync(join(root, 'docs', 'two\nlines'), 'a name with a newline\n');
  writeFileSync(join(root, 'large.bin'), Buffer.alloc(300_001, 'outwrite'));
  writeFileSync(join(root, 'bin', 'run'), '#!/bin/sh\necho run\n');
  chmodSync(join(root, 'bin', 'run'), 0o755);
  chmodSync(join(root, 'docs', 'hello.txt'), 0o640);
  linkSync(join(root, 'docs', 'hello.txt'), join(root, 'hello-again.txt'));
  symlinkSync('docs/hello.txt', join(root, 'link'));
  symlinkSync('nowhere', join(root, 'dangling'));
  // A fraction that a double holds exactly: versions of Node round others differently.
  utimesSync(join(root, 'docs', 'hello.txt'), OLD, OLD + 0.125);
  lutimesSync(join(root, 'link'), OLD, OLD + 1);
  utimesSync(join(root, 'docs'), OLD, OLD + 2.5);
}

/** Writes `fileCount` files of random sizes and modes into nested directories, with a few links. */
export function writeRandomTree(root: string, random: SeededRandom, fileCount: number): void {
  const directories = [root];
  for (let index = 0; index < fileCount; index++) {
    if (index % 12 === 0) {
      const parent = directories[random.between(0, directories.length - 1)];
      const directory = join(parent, `dir-${index}`);
      mkdirSync(directory);
      directories.push(directory);
    }
    const path = join(directories[random.between(0, directories.length - 1)], `file-${index}`);
    const sizeBytes = random.between(0, 9) === 0 ? random.between(100_000, 700_000) : random.between(0, 6000);
    writeFileSync(path, Buffer.alloc(sizeBytes, `${index} ${random.between(0, 1_000_000)} `));
    chmodSync(path, random.between(0, 3) === 0 ? 0o755 : 0o644);
    const time = OLD + random.between(0, 10_000_000) + random.fraction();
    utimesSync(path, time, time);
    if (index % 20 === 0) symlinkSync(`file-${index}`, `${path}-link`);
    if (index % 33 === 0) linkSync(path, `${path}-again`);
  }
}
