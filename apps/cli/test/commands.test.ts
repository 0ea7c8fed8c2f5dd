/**
 * Every command, run in this process, judged by what a user sees: output, messages, exit codes, and the state afterwards.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InterruptedError } from '../src/failures.ts';
import { outwrite, outwriteOk } from './command-run.ts';
import { writeSampleTree } from './sample-tree.ts';

let folder: string;
let volume: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outwrite-cli-'));
  volume = join(folder, 'test.ow');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function sampleVolume(): Promise<void> {
  const source = join(folder, 'source');
  mkdirSync(source);
  writeSampleTree(source);
  await outwriteOk(['import', '--create', '--quiet', volume, source]);
}

async function names(path: string): Promise<string[]> {
  const entries = JSON.parse(await outwriteOk(['ls', '--json', volume, path])) as { name: string }[];
  return entries.map(({ name }) => name);
}

describe('create', () => {
  it('makes an empty volume, and refuses to replace a file', async () => {
    expect(await outwriteOk(['create', volume])).toBe(`made ${volume}: an empty volume with blocks of 4.00 KiB\n`);
    expect(await outwriteOk(['ls', volume])).toBe('');
    const again = await outwrite(['create', volume]);
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toContain(volume);
    expect(await outwriteOk(['ls', volume])).toBe('');
  });

  it.each(['512', '16K'])('makes volumes with blocks of %s', async (blockSize) => {
    const made: unknown = JSON.parse(await outwriteOk(['create', '--json', '--block-size', blockSize, volume]));
    expect(made).toEqual({ volume, blockSizeBytes: blockSize === '512' ? 512 : 16384 });
    await outwriteOk(['mkdir', volume, 'a']);
    expect(await names('/')).toEqual(['a']);
  });

  it('names what is wrong with its options', async () => {
    const notASize = await outwrite(['create', volume, '--block-size', 'big']);
    expect(notASize).toMatchObject({ exitCode: 2, stdout: '' });
    expect(notASize.stderr).toContain("'big' is no size");
    const noPower = await outwrite(['create', volume, '--block-size', '1000']);
    expect(noPower.exitCode).toBe(2);
    expect(noPower.stderr).toContain('1000');
    expect(existsSync(volume)).toBe(false);
  });
});

describe('put, cat and get', () => {
  beforeEach(() => outwriteOk(['create', volume]));

  it('carries a file in and out with mode and time', async () => {
    const source = join(folder, 'in.bin');
    const content = Buffer.alloc(2_500_000, 'abcdefg');
    writeFileSync(source, content, { mode: 0o751 });
    expect(await outwriteOk(['put', volume, source])).toBe('/in.bin: 2.38 MiB\n');
    expect((await outwrite(['cat', volume, 'in.bin'])).stdoutBytes.equals(content)).toBe(true);
    const target = join(folder, 'out.bin');
    await outwriteOk(['get', volume, '/in.bin', target]);
    expect(readFileSync(target).equals(content)).toBe(true);
    expect(statSync(target).mode & 0o777).toBe(statSync(source).mode & 0o777);
    expect(Math.abs(statSync(target).mtimeMs - statSync(source).mtimeMs)).toBeLessThan(0.001);
  });

  it('takes standard input and gives standard output', async () => {
    await outwriteOk(['put', volume, '-', 'notes/'], { stdin: 'x' }).then(
      () => expect.unreachable(),
      (error: Error) => expect(error.message).toContain('needs a name'),
    );
    expect(await outwriteOk(['put', '--json', volume, '-', 'note'], { stdin: 'hello' })).toBe(
      '{"path":"/note","sizeBytes":5}\n',
    );
    expect(await outwriteOk(['cat', volume, 'note', '/note'])).toBe('hellohello');
    expect(await outwriteOk(['get', volume, 'note', '-'])).toBe('hello');
  });

  it('replaces only when asked to', async () => {
    await outwriteOk(['put', volume, '-', 'a'], { stdin: 'one' });
    const refused = await outwrite(['put', volume, '-', 'a'], { stdin: 'two' });
    expect(refused).toMatchObject({ exitCode: 1, stderr: 'outwrite: /a exists already; --overwrite replaces it\n' });
    await outwriteOk(['put', '-f', '-m', '600', volume, '-', 'a'], { stdin: 'two' });
    expect(await outwriteOk(['cat', volume, 'a'])).toBe('two');
    expect(await outwriteOk(['ls', '-l', volume])).toMatch(/^-rw-------/);

    const target = join(folder, 'a');
    writeFileSync(target, 'old');
    expect((await outwrite(['get', volume, 'a', folder])).exitCode).toBe(1);
    expect(readFileSync(target, 'utf8')).toBe('old');
    await outwriteOk(['get', '-f', volume, 'a', folder]);
    expect(readFileSync(target, 'utf8')).toBe('two');
  });

  it('says which command is meant for directories', async () => {
    await outwriteOk(['mkdir', volume, 'd']);
    const get = await outwrite(['get', volume, 'd', folder]);
    expect(get.exitCode).toBe(2);
    expect(get.stderr).toContain('export');
    const put = await outwrite(['put', volume, folder]);
    expect(put.exitCode).toBe(2);
    expect(put.stderr).toContain('import');
    const cat = await outwrite(['cat', volume, 'd']);
    expect(cat.exitCode).toBe(1);
    expect(cat.stderr).toContain('EISDIR');
  });
});

describe('ls, tree, stat and du', () => {
  beforeEach(sampleVolume);

  it('lists names, one a line without a terminal, in columns with one', async () => {
    const names = ['bin', 'dangling', 'docs', 'hello-again.txt', 'large.bin', 'link'];
    expect(await outwriteOk(['ls', volume])).toBe(`${names.join('\n')}\n`);
    expect(await outwriteOk(['ls', volume], { terminalWidth: 40 })).toBe(
      'bin              hello-again.txt\ndangling         large.bin\ndocs             link\n',
    );
    expect(await outwriteOk(['ls', volume, 'docs'])).toContain('two\\nlines\n');
  });

  it('shows modes, sizes, times and link targets with -l', async () => {
    const lines = (await outwriteOk(['ls', '-l', volume])).trimEnd().split('\n');
    expect(lines).toHaveLength(6);
    expect(lines[0]).toMatch(/^drwxr-xr-x .* bin$/);
    expect(lines[3]).toMatch(/^-rw-r----- +2 .* 6 B .* hello-again.txt$/);
    expect(lines[4]).toMatch(/ 293 KiB /);
    expect(lines[5]).toMatch(/^lrwxrwxrwx .* link -> docs\/hello.txt$/);
    expect(await outwriteOk(['ls', '-lb', volume, 'large.bin'])).toMatch(/ 300001 /);
  });

  it('goes on after a path that does not exist', async () => {
    const result = await outwrite(['ls', volume, 'bin', 'nowhere', 'docs/nothing', 'dangling']);
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toBe('/docs/nothing\n/dangling\n\n/bin:\nrun\n');
    expect(result.stderr).toMatch(/^outwrite: \/nowhere: ENOENT/);
  });

  it('gives JSON with every field', async () => {
    const [entry] = JSON.parse(await outwriteOk(['stat', '--json', volume, 'docs/hello.txt'])) as Record<
      string,
      unknown
    >[];
    expect(entry).toMatchObject({
      path: '/docs/hello.txt',
      name: 'hello.txt',
      type: 'file',
      mode: '0640',
      sizeBytes: 6,
      links: 2,
      modified: '2017-07-14T02:40:00.125000000Z',
    });
    const listed = JSON.parse(await outwriteOk(['ls', '--json', volume, '/docs'])) as Record<string, unknown>[];
    expect(listed.find(({ name }) => name === 'hello.txt')).toEqual(entry);
    expect(JSON.parse(await outwriteOk(['ls', '--json', volume, '/docs/empty']))).toEqual([]);
    expect(listed.map(({ name }) => name)).toContain('two\nlines');
  });

  it('stat describes a link itself', async () => {
    const text = await outwriteOk(['stat', volume, 'link', 'large.bin']);
    expect(text).toMatch(/type: +symlink\ntarget: +docs\/hello.txt\n/);
    expect(text).toMatch(/size: +293 KiB \(300,001 bytes\)/);
  });

  it('draws the tree', async () => {
    expect(await outwriteOk(['tree', volume])).toBe(`/
├── bin
│   └── run
├── dangling -> nowhere
├── docs
│   ├── empty
│   ├── größe – 大小.txt
│   ├── hello.txt
│   ├── nothing
│   └── two\\nlines
├── hello-again.txt
├── large.bin
└── link -> docs/hello.txt

3 directories, 7 files, 2 links
`);
    expect(await outwriteOk(['tree', '--depth', '1', '--sizes', volume, 'docs'])).toContain(
      '├── [     6 B] hello.txt\n',
    );
    expect(await outwriteOk(['tree', '--depth', '0', volume, 'docs'])).toBe(
      '/docs\n\n0 directories, 0 files, 0 links\n',
    );
    expect(await outwriteOk(['tree', '--depth', '0', '--json', volume])).toBe('');
    expect((await outwrite(['tree', '--depth', '0', volume, 'docs/hello.txt'])).stderr).toContain('ENOTDIR');
    const lines = (await outwriteOk(['tree', '--json', volume])).trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { path: string }).path)).toContain('/docs/empty');
  });

  it('du sums up directories and counts links once', async () => {
    const total =
      300_001 + 6 + '#!/bin/sh\necho run\n'.length + 'names in UTF-8\n'.length + 'a name with a newline\n'.length;
    const usage: unknown = JSON.parse(await outwriteOk(['du', '--json', '--depth', '0', volume]));
    expect(usage).toEqual([{ path: '/', sizeBytes: total, entryCount: 13 }]);
    const lines = (await outwriteOk(['du', '-b', volume])).trimEnd().split('\n');
    expect(lines.map((line) => line.trim().split(/ +/)[1])).toEqual(['/bin', '/docs/empty', '/docs', '/']);
  });
});

describe('mkdir, rm, mv and ln', () => {
  beforeEach(() => outwriteOk(['create', volume]));

  it('mkdir makes directories, with those above if asked', async () => {
    expect((await outwrite(['mkdir', volume, 'a/b/c'])).exitCode).toBe(1);
    await outwriteOk(['mkdir', '-p', '-m', '700', volume, 'a/b/c', 'd']);
    await outwriteOk(['mkdir', '-p', volume, 'a/b/c']);
    expect(await outwriteOk(['tree', volume])).toContain('4 directories, 0 files, 0 links');
    expect((await outwrite(['mkdir', volume, 'd'])).stderr).toContain('EEXIST');
  });

  it('rm removes what it is told and no more', async () => {
    await outwriteOk(['mkdir', '-p', volume, 'a/b']);
    await outwriteOk(['put', volume, '-', 'a/file'], { stdin: 'x' });
    const directory = await outwrite(['rm', volume, 'a']);
    expect(directory.exitCode).toBe(1);
    expect(directory.stderr).toContain('-r removes it');
    expect((await outwrite(['rm', volume, 'nothing'])).exitCode).toBe(1);
    await outwriteOk(['rm', '-f', volume, 'nothing']);
    expect((await outwrite(['rm', '-r', volume, '/'])).exitCode).toBe(2);
    await outwriteOk(['rm', '-r', volume, 'a']);
    expect(await names('/')).toEqual([]);
  });

  it('mv renames, moves into directories, and replaces unless told to keep', async () => {
    await outwriteOk(['mkdir', volume, 'd']);
    for (const name of ['a', 'b', 'c']) await outwriteOk(['put', volume, '-', name], { stdin: name });
    await outwriteOk(['mv', volume, 'a', 'a2']);
    await outwriteOk(['mv', volume, 'a2', 'b', 'd']);
    expect(await names('/')).toEqual(['c', 'd']);
    expect(await names('/d')).toEqual(['a2', 'b']);
    const kept = await outwrite(['mv', '-n', volume, 'c', 'd/b']);
    expect(kept).toMatchObject({ exitCode: 1, stderr: 'outwrite: /d/b exists already\n' });
    await outwriteOk(['mv', volume, 'c', 'd/b']);
    expect(await outwriteOk(['cat', volume, 'd/b'])).toBe('c');
    expect((await outwrite(['mv', volume, 'd/a2', 'd/b', 'e'])).exitCode).toBe(1);
    expect((await outwrite(['mv', volume, 'd', 'd/inside'])).stderr).toContain('EINVAL');
  });

  it('ln makes links of both kinds', async () => {
    await outwriteOk(['mkdir', volume, 'd']);
    await outwriteOk(['put', volume, '-', 'a'], { stdin: 'text' });
    await outwriteOk(['ln', volume, 'a', 'd']);
    await outwriteOk(['ln', '-s', volume, '../a', 'd/symbolic']);
    expect(await outwriteOk(['cat', volume, 'd/a', 'd/symbolic'])).toBe('texttext');
    expect(await outwriteOk(['stat', volume, 'a'])).toMatch(/links: +2\n/);
    expect((await outwrite(['ln', volume, 'a', 'd/symbolic'])).stderr).toContain('EEXIST');
    await outwriteOk(['ln', '-f', volume, 'a', 'd/symbolic']);
    expect(await outwriteOk(['stat', volume, 'a'])).toMatch(/links: +3\n/);
  });
});

describe('the command line itself', () => {
  it('exit code 2 for what makes no sense', async () => {
    expect(await outwrite([])).toMatchObject({ exitCode: 2 });
    const unknown = await outwrite(['lss', volume]);
    expect(unknown).toMatchObject({ exitCode: 2, stdout: '' });
    expect(unknown.stderr).toContain("unknown command 'lss'");
    expect(unknown.stderr).toContain('Did you mean ls?');
    expect((await outwrite(['ls'])).stderr).toContain("missing required argument 'volume'");
    expect((await outwrite(['ls', volume, '--color'])).stderr).toContain("unknown option '--color'");
    await outwriteOk(['create', volume]);
    expect((await outwrite(['ls', volume, '../etc'])).exitCode).toBe(2);
    expect((await outwrite(['tree', volume, '--depth', 'x'])).exitCode).toBe(2);
  });

  it('exit code 3 for what is no volume, 1 for what is not there', async () => {
    const noVolume = join(folder, 'text');
    writeFileSync(noVolume, 'some text, long enough to be looked at\n'.repeat(10_000));
    const result = await outwrite(['ls', noVolume]);
    expect(result).toMatchObject({ exitCode: 3, stdout: '' });
    for (const command of ['ls', 'check', 'scrub', 'log', 'info']) {
      const { stderr } = await outwrite([command, noVolume]);
      expect(stderr.startsWith(`outwrite: ${noVolume} is no Outwrite volume: `), command).toBe(true);
    }
    const asJson = await outwrite(['ls', '--json', noVolume]);
    expect(JSON.parse(asJson.stderr)).toMatchObject({ error: { code: 'ENOTVOLUME' } });
    const absent = await outwrite(['ls', volume]);
    expect(absent.exitCode).toBe(1);
    expect(absent.stderr).toContain(volume);
    expect(absent.stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  it('exit code 3 for a volume that is cut short', async () => {
    await sampleVolume();
    const bytes = readFileSync(volume);
    writeFileSync(volume, bytes.subarray(0, 8192));
    const result = await outwrite(['ls', volume]);
    expect(result.exitCode).toBe(3);
    expect(result.stderr).toMatch(/cut short/);
  });

  it('stops between two steps when it is asked to, and keeps what was done', async () => {
    const source = join(folder, 'source');
    mkdirSync(source);
    writeSampleTree(source);
    const controller = new AbortController();
    controller.abort(new InterruptedError('SIGINT'));
    const result = await outwrite(['import', '--create', volume, source], { signal: controller.signal });
    expect(result.exitCode).toBe(130);
    expect(result.stderr).toContain('outwrite: stopped; what was done so far is kept');
    expect((await outwrite(['check', volume])).exitCode).toBe(0);
    await outwriteOk(['import', volume, source]);
    expect(await names('/')).toHaveLength(6);
  });
});
