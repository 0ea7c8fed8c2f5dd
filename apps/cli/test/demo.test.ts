/**
 * The demonstration on a small tree: it runs through, finds no difference, and finds one when there is one.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runDemo } from '../src/demo/demo-run.ts';
import { SeededRandom } from '../src/demo/seeded-random.ts';
import { Output } from '../src/output.ts';
import { SOURCE_FLAGS } from './command-run.ts';
import { writeRandomTree } from './sample-tree.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outwrite-cli-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the demonstration', () => {
  it('imports, kills, recovers, finishes, overwrites, exports and compares', async () => {
    const source = join(folder, 'source');
    mkdirSync(source);
    writeRandomTree(source, new SeededRandom(5), 300);
    const stdout = new PassThrough();
    const chunks: string[] = [];
    stdout.on('data', (chunk) => chunks.push(String(chunk)));
    const leftBefore = demoFolders();
    const isEqual = await runDemo({
      stdout: new Output(stdout, { gathers: false }),
      stderr: new Output(new PassThrough().resume(), { gathers: false }),
      signal: new AbortController().signal,
      sourcePath: source,
      seed: 12,
      killCount: 1,
      keepsFiles: false,
      nodeFlags: SOURCE_FLAGS,
    });
    const text = chunks.join('');
    expect(text).not.toContain('WRONG');
    expect(isEqual).toBe(true);
    expect(text).toContain('seed 12');
    expect(text.match(/check: clean/g)).toHaveLength(3);
    expect(text).toMatch(/reopened in .*: the state of delta/);
    expect(text).toMatch(/volume and source agree in every byte/);
    expect(text).toMatch(/exported tree and source agree in every byte/);
    expect(text).toMatch(/^overwrite +\d.* +[1-9][\d,]* +[1-9][\d,]*$/m);
    expect(demoFolders()).toEqual(leftBefore);
  });
});

function demoFolders(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('outwrite-demo-'));
}
