/**
 * The command as a process of its own: streams, signals and locks as the system delivers them.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openVolume } from '@outwrite/volume/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SeededRandom } from '../src/demo/seeded-random.ts';
import { outwrite, outwriteOk, SOURCE_FLAGS } from './command-run.ts';
import { writeRandomTree } from './sample-tree.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

let folder: string;
let volume: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'outwrite-cli-'));
  volume = join(folder, 'test.ow');
  await outwriteOk(['create', volume]);
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function commandOf(parameters: readonly string[]): string[] {
  return [...SOURCE_FLAGS, MAIN, ...parameters];
}

function startCommand(parameters: readonly string[]): ChildProcess {
  return spawn(process.execPath, commandOf(parameters), { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setTimeout(5);
}

describe('as a process', () => {
  it('reads standard input, writes standard output, and sets the exit code', () => {
    const content = Buffer.alloc(3_000_000, 'some bytes ');
    const put = spawnSync(process.execPath, commandOf(['put', volume, '-', 'file']), { input: content });
    expect(put).toMatchObject({ status: 0 });
    const cat = spawnSync(process.execPath, commandOf(['cat', volume, 'file']), { maxBuffer: 10_000_000 });
    expect(cat.status).toBe(0);
    expect(cat.stdout.equals(content)).toBe(true);
  });

  it('ends silently when the reader of its output goes away', async () => {
    await outwriteOk(['put', volume, '-', 'file'], { stdin: Buffer.alloc(8_000_000, 'x') });
    const child = startCommand(['cat', volume, 'file']);
    let messages = '';
    child.stderr!.on('data', (chunk) => {
      messages += String(chunk);
    });
    await once(child.stdout!, 'readable');
    child.stdout!.destroy();
    const [exitCode] = (await once(child, 'close')) as [number];
    expect({ exitCode, messages }).toEqual({ exitCode: 141, messages: '' });
    expect((await outwrite(['check', volume])).exitCode).toBe(0);
  });

  it.runIf(existsSync('/dev/full')).each(['--help', 'help ls', '--version', 'df'])(
    'output that cannot be written is a failure: %s',
    (command) => {
      const full = openSync('/dev/full', 'w');
      const parameters = command === 'df' ? [command, volume] : command.split(' ');
      const stdio = ['ignore', full, 'pipe'] as const;
      const result = spawnSync(process.execPath, commandOf(parameters), { stdio: [...stdio], encoding: 'utf8' });
      closeSync(full);
      expect(result).toMatchObject({ status: 5, stderr: 'outwrite: ENOSPC: no space left on device, write\n' });
    },
  );

  it('Ctrl-C during an import closes the volume and leaves it consistent', async () => {
    const source = join(folder, 'source');
    mkdirSync(source);
    writeRandomTree(source, new SeededRandom(3), 1500);
    writeFileSync(join(source, 'zz-last'), Buffer.alloc(60_000_000, 'z'));
    const journal = join(folder, 'journal');
    const child = startCommand(['import', '--quiet', '--commit-steps', '50', '--journal', journal, volume, source]);
    await until(() => existsSync(journal) && readFileSync(journal, 'utf8').includes('durable'));
    child.kill('SIGINT');
    const [exitCode] = (await once(child, 'close')) as [number];
    // On a fast machine the import may have been complete.
    expect([130, 0]).toContain(exitCode);
    expect(existsSync(`${volume}.lock`)).toBe(false);
    expect(JSON.parse(readFileSync(journal, 'utf8').trimEnd().split('\n').pop()!)).toMatchObject({
      event: exitCode === 0 ? 'end' : 'durable',
    });
    const reopened = await openVolume(volume, { readOnly: true });
    expect(reopened.recovery).toMatchObject({ droppedDelta: null, damage: null });
    await reopened.close();
    expect((await outwrite(['check', volume])).exitCode).toBe(0);
  });

  it('a volume that is open elsewhere is exit code 4 and names the holder', async () => {
    const held = await openVolume(volume);
    const result = spawnSync(process.execPath, commandOf(['ls', volume]), { encoding: 'utf8' });
    expect(result.status).toBe(4);
    expect(result.stderr).toContain(`in use by process ${process.pid}`);
    expect(await outwriteOk(['ls', '--no-lock', volume])).toBe('');
    await held.close();
    expect(await outwriteOk(['ls', volume])).toBe('');
  });
});
