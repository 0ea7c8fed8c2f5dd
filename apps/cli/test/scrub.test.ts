/**
 * `outwrite scrub`: on a sound volume, and on one with a flipped bit in a file.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { outwrite, outwriteOk } from './command-run.ts';
import { makeSampleVolume } from './sample-volume.ts';

let folder: string;
let volume: string;

beforeEach(async () => {
  ({ folder, volume } = await makeSampleVolume());
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('scrub', () => {
  it('says clean, exits with 0, changes nothing, and shows progress', async () => {
    const before = readFileSync(volume);
    expect(await outwriteOk(['scrub', volume])).toMatch(/^clean; [\d.]+ [KM]iB read in /);
    expect(await outwriteOk(['scrub', '--quiet', '--rate', '100M', volume])).toBe('');
    expect(JSON.parse(await outwriteOk(['scrub', '--json', volume]))).toMatchObject({
      summary: { clean: true, complete: true, errorCount: 0, damaged: [] },
    });
    expect((await outwrite(['scrub', volume], { terminalWidth: 100 })).stderr).toContain('scrub ░');
    expect(readFileSync(volume).equals(before)).toBe(true);
    expect((await outwrite(['scrub', '--rate', '0', volume])).exitCode).toBe(2);
  });

  it('names the file that a flipped bit has hit, and exits with 1', async () => {
    const bytes = readFileSync(volume);
    const position = bytes.indexOf('outwrite'.repeat(100));
    bytes[position + 5] ^= 1;
    writeFileSync(volume, bytes);
    const result = await outwrite(['scrub', volume]);
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toMatch(/^error damaged, data block: /m);
    expect(result.stdout).toMatch(/^hit: \/large\.bin$/m);
    expect(result.stdout).toMatch(/^1 error found, /m);
    const lines = (await outwrite(['scrub', '--json', volume])).stdout.trimEnd().split('\n');
    expect(JSON.parse(lines.at(-1) as string)).toMatchObject({ summary: { damaged: [{ path: '/large.bin' }] } });
  });
});
