/** The lock of the file device: within the process, between processes, after kills, and under many racers. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LockedError } from '../src/index.ts';
import { openFileDevice } from '../src/node.ts';

let directory: string;
let file: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'outwrite-lock-'));
  file = path.join(directory, 'volume');
  openFileDevice(file, { create: true }).closeSync();
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  fs.rmSync(directory, { recursive: true, force: true });
});

const holderScript = fileURLToPath(new URL('./lock-holder.ts', import.meta.url));

/** Starts a process that runs `lock-holder.ts` with these arguments. */
function start(...parameters: string[]): ChildProcess & { firstLine: Promise<string>; ended: Promise<number | null> } {
  const child = spawn(
    process.execPath,
    ['--conditions=@outwrite/source', '--import', 'tsx', holderScript, file, ...parameters],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  children.push(child);
  const ended = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)));
  const firstLine = new Promise<string>((resolve) => {
    let text = '';
    child.stdout!.on('data', (data: Buffer) => {
      text += data.toString();
      const end = text.indexOf('\n');
      if (end !== -1) resolve(text.slice(0, end));
    });
    child.on('exit', () => resolve(text));
  });
  return Object.assign(child, { firstLine, ended });
}

it('a lock that cannot be written leaves nothing behind', () => {
  // A limit of the size of files is met as a full disk is: when the file is there already.
  const script = `import { openFileDevice } from ${JSON.stringify(new URL('../src/node.ts', import.meta.url).href)};
    try { openFileDevice(process.argv[1], { readOnly: true }); } catch (error) { console.log(String(error)); }`;
  const flags = ['--conditions=@outwrite/source', '--import', 'tsx', '--input-type=module', '--eval', script, file];
  const limited = 'ulimit -f 0 && exec "$@"';
  const environment = { ...process.env, TSX_DISABLE_CACHE: '1' };
  const output = execFileSync('sh', ['-c', limited, 'sh', process.execPath, ...flags], { env: environment });
  expect(output.toString()).toContain('EFBIG');
  expect(fs.readdirSync(directory)).toEqual(['volume']);
});

describe('within one process', () => {
  it('a file opens once, under whatever name', async () => {
    const device = openFileDevice(file);
    const alias = path.join(directory, 'alias');
    const link = path.join(directory, 'hard-link');
    fs.symlinkSync(file, alias);
    fs.linkSync(file, link);
    for (const name of [file, alias, link]) {
      expect(() => openFileDevice(name)).toThrow(LockedError);
      expect(() => openFileDevice(name)).toThrow(
        expect.objectContaining({ code: 'ELOCKED', path: name, holder: expect.objectContaining({ pid: process.pid }) }),
      );
    }
    expect(() => openFileDevice(file, { readOnly: true })).toThrow(LockedError);
    const view = openFileDevice(file, { readOnly: true, lock: false });
    view.closeSync();
    await device.close();
    openFileDevice(alias).closeSync();
  });

  it('a file that is closing is refused until writes in flight have returned', async () => {
    const device = openFileDevice(file);
    device.grow(2 ** 20);
    const write = device.write(0, [new Uint8Array(2 ** 20).fill(1)]);
    const closed = device.close();
    expect(() => openFileDevice(file)).toThrow('still waits for writes in flight');
    await write;
    await closed;
    openFileDevice(file).closeSync();
  });

  it('leaves no file behind', () => {
    const device = openFileDevice(file);
    expect(fs.readdirSync(directory).sort()).toEqual(['volume', 'volume.lock']);
    device.closeSync();
    expect(fs.readdirSync(directory)).toEqual(['volume']);
  });

  it('does not remove a lock that is no longer its own', () => {
    const device = openFileDevice(file);
    fs.rmSync(`${file}.lock`);
    fs.writeFileSync(`${file}.lock`, '');
    device.closeSync();
    expect(fs.existsSync(`${file}.lock`)).toBe(true);
  });
});

describe('between processes', () => {
  it('the second opener is told who holds the file, until the holder closes it', async () => {
    const holder = start('hold');
    expect(await holder.firstLine).toBe('held');
    let thrown: unknown;
    try {
      openFileDevice(file);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(LockedError);
    const { holder: named, message } = thrown as LockedError;
    expect(named).toMatchObject({ pid: holder.pid, host: os.hostname() });
    expect(Math.abs(Date.parse(named.since) - Date.now())).toBeLessThan(60_000);
    expect(message).toContain(`${file}.lock`);
    holder.stdin!.end();
    expect(await holder.ended).toBe(0);
    openFileDevice(file).closeSync();
  });

  it('a killed holder does not delay the next one', async () => {
    const holder = start('hold');
    expect(await holder.firstLine).toBe('held');
    holder.kill('SIGKILL');
    await holder.ended;
    expect(fs.existsSync(`${file}.lock`)).toBe(true);
    const before = performance.now();
    openFileDevice(file).closeSync();
    expect(performance.now() - before).toBeLessThan(1000);
    expect(fs.readdirSync(directory)).toEqual(['volume']);
  });

  it('of many racers for a dead lock one at a time holds it, though some are killed meanwhile', async () => {
    const holder = start('hold');
    expect(await holder.firstLine).toBe('held');
    holder.kill('SIGKILL');
    await holder.ended;
    // Each racer takes the lock again and again and checks that it is alone; every second one dies holding it in some
    // round.
    const racers = Array.from({ length: 6 }, (_, i) => start('race', String(i + 1)));
    const ends = await Promise.all(racers.map((racer) => racer.ended));
    expect(fs.existsSync(`${file}.violation`)).toBe(false);
    expect(ends.filter((code) => code === 0).length).toBeGreaterThanOrEqual(3);
    expect(ends.filter((code) => code === null).length).toBeGreaterThan(0);
    const outcomes = await Promise.all(racers.map((racer) => racer.firstLine));
    const rounds = outcomes.map((line) => Number(line.split(' ')[1] ?? 0));
    expect(rounds.reduce((sum, count) => sum + count)).toBeGreaterThan(10);
    openFileDevice(file).closeSync();
  }, 60_000);
});

describe('a lock file', () => {
  const record = {
    format: 'outwrite-lock-1',
    token: '00000000-0000-4000-8000-000000000000',
    pid: process.pid,
    host: os.hostname(),
    since: '2020-01-01T00:00:00.000Z',
    bootId: null,
    startTime: null,
    pidSpace: fs.existsSync('/proc/self/ns/pid') ? fs.readlinkSync('/proc/self/ns/pid') : null,
    thread: null,
  };
  const place = (content: unknown): void =>
    fs.writeFileSync(`${file}.lock`, typeof content === 'string' ? content : JSON.stringify(content));

  it('of another host, or of another process space, is respected', () => {
    for (const foreign of [{ host: 'elsewhere' }, { pidSpace: 'pid:[1]' }]) {
      place({ ...record, ...foreign });
      expect(() => openFileDevice(file)).toThrow(LockedError);
    }
  });

  it('of a living process of unknown start is respected, of a dead one not', () => {
    place(record);
    expect(() => openFileDevice(file)).toThrow(LockedError);
    place({ ...record, pid: 2 ** 30 });
    openFileDevice(file).closeSync();
  });

  it.skipIf(process.platform !== 'linux')(
    'of an earlier boot, or of an earlier process of the same number, is stale',
    () => {
      for (const stale of [{ bootId: 'another boot' }, { startTime: '1' }]) {
        place({ ...record, ...stale });
        openFileDevice(file).closeSync();
      }
    },
  );

  it('without content, as a power cut leaves it, is stale', () => {
    for (const content of ['', '\0'.repeat(200)]) {
      place(content);
      openFileDevice(file).closeSync();
    }
  });

  it('of a takeover that was cut off is taken over in turn', () => {
    place({ ...record, pid: 2 ** 30 });
    const second = { ...record, pid: 2 ** 30 + 1, token: '00000000-0000-4000-8000-000000000001' };
    fs.writeFileSync(`${file}.lock.${record.token}`, JSON.stringify(second));
    openFileDevice(file).closeSync();
    expect(fs.readdirSync(directory)).toEqual(['volume']);
    // And if the one in the middle of it lives, it is the holder.
    place({ ...record, pid: 2 ** 30 });
    fs.writeFileSync(`${file}.lock.${record.token}`, JSON.stringify({ ...second, pid: process.pid }));
    expect(() => openFileDevice(file)).toThrow(LockedError);
  });

  it('that is something else is left alone', () => {
    for (const content of [
      'my own notes',
      '{"pid":1}',
      JSON.stringify({ ...record, token: '../../etc' }),
      'x'.repeat(5000),
    ]) {
      place(content);
      expect(() => openFileDevice(file)).toThrow(
        expect.objectContaining({ code: 'EIO', message: expect.stringContaining('is none') }),
      );
      expect(fs.readFileSync(`${file}.lock`, 'utf8')).toBe(content);
    }
    expect(fs.readdirSync(directory).sort()).toEqual(['volume', 'volume.lock']);
  });
});

describe('between threads of one process', () => {
  /** A thread that opens the device and, told to, ends without closing it. */
  async function holder(): Promise<Worker> {
    const script = `
      const { parentPort, workerData } = require('node:worker_threads');
      import('tsx/esm/api').then(({ register }) => {
        register();
        return import(workerData.module);
      }).then(({ openFileDevice }) => {
        globalThis.device = openFileDevice(workerData.file);
        parentPort.once('message', (how) => {
          if (how === 'throw') throw new Error('a fault of the thread');
          if (how === 'close') globalThis.device.closeSync();
          process.exit();
        });
        parentPort.postMessage('held');
      });`;
    const worker = new Worker(script, {
      eval: true,
      execArgv: ['--conditions=@outwrite/source'],
      workerData: { file, module: new URL('../src/node.ts', import.meta.url).href },
    });
    await once(worker, 'message');
    return worker;
  }

  it.each(['exit', 'throw', 'terminate', 'close'])('a lock is free when its thread has ended (%s)', async (how) => {
    const worker = await holder();
    expect(() => openFileDevice(file)).toThrow(LockedError);
    expect(() => openFileDevice(file)).toThrow(/another thread of this process has it open; close it there first/);
    const ended = new Promise((resolve) => worker.on('exit', resolve));
    worker.on('error', () => {});
    if (how === 'terminate') await worker.terminate();
    else worker.postMessage(how);
    await ended;
    openFileDevice(file).closeSync();
    expect(fs.readdirSync(directory)).toEqual(['volume']);
  });
});
