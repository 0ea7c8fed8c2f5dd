/**
 * Trees that go in and come out: everything is kept, what is there is skipped, what cannot be carried is reported.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../src/demo/seeded-random.ts';
import { HOST_TIME_TOLERANCE_NS } from '../src/transfer/host-times.ts';
import { hostTree } from '../src/transfer/host-tree.ts';
import { type Difference, TreeComparison } from '../src/transfer/tree-comparison.ts';
import { outwrite, outwriteOk } from './command-run.ts';
import { withImportFolder } from './import-folder.ts';
import { writeRandomTree, writeSampleTree } from './sample-tree.ts';

let folder: string;
let source: string;
let volume: string;

withImportFolder((made) => {
  ({ folder, source, volume } = made);
});

function differences(a: string, b: string): Difference[] {
  return [...new TreeComparison(hostTree(a), hostTree(b), { timeToleranceNs: HOST_TIME_TOLERANCE_NS }).differences()];
}

describe('import and export', () => {
  it('keep content, modes, times, links of both kinds and empty directories', async () => {
    writeSampleTree(source);
    const imported: unknown = JSON.parse(await outwriteOk(['import', '--create', '--json', volume, source]));
    expect(imported).toMatchObject({
      fileCount: 6,
      directoryCount: 4,
      symlinkCount: 2,
      hardLinkCount: 1,
      problemCount: 0,
      skippedCount: 0,
    });
    const target = join(folder, 'target');
    const exported: unknown = JSON.parse(await outwriteOk(['export', '--json', volume, target]));
    expect(exported).toMatchObject({
      fileCount: 6,
      directoryCount: 4,
      symlinkCount: 2,
      hardLinkCount: 1,
      problemCount: 0,
    });
    expect(differences(source, target)).toEqual([]);
  });

  it('keep hard links between symbolic links', async () => {
    writeFileSync(join(source, 'file'), 'content');
    symlinkSync('file', join(source, 'link'));
    linkSync(join(source, 'link'), join(source, 'link-again'));
    const target = join(folder, 'target');
    await outwriteOk(['import', '--create', '--quiet', volume, source]);
    const again: unknown = JSON.parse(await outwriteOk(['import', '--json', volume, source]));
    expect(again).toMatchObject({ symlinkCount: 1, hardLinkCount: 1, skippedCount: 3 });
    await outwriteOk(['export', '--quiet', volume, target]);
    expect(lstatSync(join(target, 'link'))).toMatchObject({ nlink: 2, ino: lstatSync(join(target, 'link-again')).ino });
    expect(readlinkSync(join(target, 'link-again'))).toBe('file');
    expect(differences(source, target)).toEqual([]);
    rmSync(join(target, 'link-again'));
    symlinkSync('file', join(target, 'link-again'));
    expect(differences(source, target)).toContainEqual({
      path: 'link-again',
      problem: 'should be a link to link',
    });
  });

  it.each(['512', '4096', '16384'])('carry a random tree through blocks of %s', async (blockSize) => {
    writeRandomTree(source, new SeededRandom(42), 150);
    await outwriteOk(['create', '--block-size', blockSize, volume]);
    const text = await outwriteOk(['import', '--commit-every', '1M', volume, source, 'deep/inside']);
    expect(text).toMatch(/^150 files, .*; /);
    const target = join(folder, 'target');
    await outwriteOk(['export', volume, target, '--from', '/deep/inside']);
    expect(differences(source, target)).toEqual([]);
    expect((await outwrite(['check', volume])).exitCode).toBe(0);
  });

  it('the comparison sees every kind of difference', () => {
    writeSampleTree(source);
    const copy = join(folder, 'copy');
    execFileSync('cp', ['-a', source, copy]);
    expect(differences(source, copy)).toEqual([]);
    writeFileSync(join(copy, 'large.bin'), Buffer.alloc(300_001, 'outwritE'));
    chmodSync(join(copy, 'bin', 'run'), 0o700);
    rmSync(join(copy, 'link'));
    symlinkSync('docs/nothing', join(copy, 'link'));
    rmSync(join(copy, 'docs', 'empty'), { recursive: true });
    rmSync(join(copy, 'hello-again.txt'));
    writeFileSync(join(copy, 'hello-again.txt'), 'hello\n');
    writeFileSync(join(copy, 'extra'), '');
    const problems = differences(source, copy).map(({ path, problem }) => `${path} ${problem}`);
    const expected = [
      /^large.bin has other content from byte 7 on/,
      /^large.bin has a modification time/,
      /^bin\/run has mode 700 instead of 755/,
      /^link points to docs\/nothing instead of docs\/hello.txt/,
      /^docs\/empty is missing/,
      /^hello-again.txt is a link to hello-again.txt, but should be|^hello-again.txt should be a link to docs\/hello.txt|^hello-again.txt has mode/,
      /^extra is there, but should not be/,
    ];
    for (const pattern of expected)
      expect(
        problems.some((problem) => pattern.test(problem)),
        String(pattern),
      ).toBe(true);
  });

  it('a second import copies only what has changed', async () => {
    writeSampleTree(source);
    await outwriteOk(['import', '--create', volume, source]);
    writeFileSync(join(source, 'docs', 'nothing'), 'something');
    rmSync(join(source, 'link'));
    symlinkSync('large.bin', join(source, 'link'));
    const result: unknown = JSON.parse(await outwriteOk(['import', '--json', volume, source]));
    expect(result).toMatchObject({ copiedBytes: 9, skippedCount: 10, problemCount: 0 });
    const target = join(folder, 'target');
    await outwriteOk(['export', volume, target]);
    expect(differences(source, target)).toEqual([]);
  });

  it('write a line to the journal for each durable commit', async () => {
    writeRandomTree(source, new SeededRandom(7), 60);
    const journal = join(folder, 'journal');
    await outwriteOk(['import', '--create', '--commit-steps', '20', '--journal', journal, volume, source]);
    const lines = readFileSync(journal, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines[0]).toMatchObject({ event: 'start', source, target: '/' });
    expect(lines[lines.length - 1]).toMatchObject({ event: 'end' });
    const durable = lines.filter(({ event }) => event === 'durable');
    expect(durable.length).toBeGreaterThan(3);
    expect(lines.filter(({ event }) => event === 'committing')).toHaveLength(durable.length);
    for (let index = 1; index < durable.length; index++) {
      expect(durable[index]['delta']).toBeGreaterThan(durable[index - 1]['delta'] as number);
    }
  });

  it('report what cannot be carried, and carry the rest', async () => {
    writeSampleTree(source);
    execFileSync('mkfifo', [join(source, 'pipe')]);
    writeFileSync(Buffer.concat([Buffer.from(`${source}/bad-`), Buffer.from([0xff, 0xfe])]), 'x');
    const result = await outwrite(['import', '--create', volume, source]);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('pipe: neither a file, a directory nor a symbolic link');
    expect(result.stderr).toContain('its name is not UTF-8');
    expect(result.stdout).toContain('2 entries could not be brought in');
    expect((await outwriteOk(['ls', volume])).split('\n')).toContain('large.bin');
  });

  it('an entry of another kind in the way is a problem, not a catastrophe', async () => {
    writeSampleTree(source);
    await outwriteOk(['create', volume]);
    await outwriteOk(['put', volume, '-', 'docs'], { stdin: 'a file where a directory should go' });
    await outwriteOk(['mkdir', '-p', volume, 'link/full']);
    const result = await outwrite(['import', volume, source]);
    expect(result.exitCode).toBe(1);
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(2);
    expect(await outwriteOk(['cat', volume, 'docs'])).toBe('a file where a directory should go');
    // Its first name lies in the directory that could not be made.
    expect(await outwriteOk(['cat', volume, 'hello-again.txt'])).toBe('hello\n');
  });

  it('export fills only what is empty, unless told to', async () => {
    writeSampleTree(source);
    await outwriteOk(['import', '--create', volume, source]);
    const target = join(folder, 'target');
    mkdirSync(join(target, 'docs'), { recursive: true });
    writeFileSync(join(target, 'large.bin'), 'old');
    const refused = await outwrite(['export', volume, target]);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain('--overwrite');
    await outwriteOk(['export', '--overwrite', volume, target]);
    expect(differences(source, target)).toEqual([]);
    await outwriteOk(['export', '--overwrite', '--flush', volume, target]);
    expect(differences(source, target)).toEqual([]);
    const leftovers = readdirSync(target, { recursive: true }).filter((name) => String(name).includes('.outwrite-'));
    expect(leftovers).toEqual([]);
  });

  it('a full volume ends the import with exit code 5, and keeps what was committed', async () => {
    for (let index = 0; index < 40; index++)
      writeFileSync(join(source, `file-${index}`), Buffer.alloc(200_000, `${index}`));
    await outwriteOk(['create', '--max-size', '4M', volume]);
    const result = await outwrite(['import', '--commit-every', '400K', volume, source]);
    expect(result.exitCode).toBe(5);
    expect(result.stderr).toMatch(/space/);
    expect((await outwrite(['check', volume])).exitCode).toBe(0);
    const kept = (await outwriteOk(['ls', volume])).trimEnd().split('\n');
    expect(kept.length).toBeGreaterThan(3);
    for (const name of kept)
      expect((await outwrite(['cat', volume, name])).stdoutBytes.equals(readFileSync(join(source, name)))).toBe(true);
    await outwriteOk(['rm', volume, ...kept]);
    expect(existsSync(volume)).toBe(true);
  });
});
