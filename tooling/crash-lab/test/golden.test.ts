/**
 * Golden images: what an older release wrote is read, whole, read-only and writable, and stays as it is.
 *
 * The rule: whoever changes the meaning of a byte raises `FORMAT_VERSION`, adds a set of images of the new version (`golden-main.ts`) with
 * its lines here, and leaves the older sets alone.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { getU32, MemoryDevice } from '@outwrite/blockdev';
import { Volume } from '@outwrite/volume';
import { describe, expect, it } from 'vitest';
import { contentOf } from '../src/golden/golden-image.ts';

/** SHA-256 of each unpacked image. Do not change a line: a changed image is no golden image. */
const GOLDEN: Record<number, Record<string, string>> = {
  1: {
    'entries-4096-log': '41c37fb0a496cf4e120088c9048b9844934bbd8c3204076fe876b5e1e966ab48',
    'entries-512-closed': '516b131ff859c33e9fceacaacccf248f1e0d0b2c178d6d5f3f6e8845ebe1b294',
    'files-16384-log': 'ba706a7348465153b079d7bc2307a85b7c49537affbb310020135a283d5041cf',
    'files-4096-closed': '1489299088f8a26915631ab45941b17d37b486140367626a436ac6a430c04690',
    'files-4096-log': 'ca1c0916159e672f2001c16444e7aa3a353f5a1440b29b6a7ff7aeef361ca501',
    'files-512-closed': 'eae30f9fdf8fdc4b9c8971e0a9a56a9c406e8c72e81915b2067ba7846a36bba4',
    'files-512-log': '64af6618bd1d92885474539268ef27b1cfaa3260e74adb94c4143954dc5db17e',
  },
};

/** SHA-256 of the constants and values of all tables of `docs/format.md`, which another test holds against the code. */
const TABLES: Record<number, string> = {
  1: 'a3615a0ae40e4703402843d1bd20a7e20cf726153b0861ab8f4cc4a36896899a',
};

const goldenFolder = new URL('../golden/', import.meta.url);
const VERSION_POSITION = 8;
const MAX_PACKED_BYTES = 100 * 1024;

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The version of the format that this release writes. */
function versionWritten(): number {
  const device = new MemoryDevice();
  Volume.create(device, { autoCommitMilliseconds: 0 }).closeSync();
  return getU32(device.snapshot(), VERSION_POSITION);
}

describe.each(Object.keys(GOLDEN).map(Number))('golden images of version %d', (version) => {
  const folder = new URL(`version-${version}/`, goldenFolder);
  const names = Object.keys(GOLDEN[version]!);

  it('are all there, and no others', () => {
    const files = readdirSync(fileURLToPath(folder)).sort();
    expect(files).toEqual(names.flatMap((name) => [`${name}.gz`, `${name}.txt`]).sort());
  });

  it.each(names)('%s is read as it was written', (name) => {
    const packed = readFileSync(new URL(`${name}.gz`, folder));
    expect(packed.length).toBeLessThan(MAX_PACKED_BYTES);
    const image = new Uint8Array(gunzipSync(packed));
    expect(sha256(image)).toBe(GOLDEN[version]![name]);
    expect(getU32(image, VERSION_POSITION)).toBe(version);
    const expected = readFileSync(new URL(`${name}.txt`, folder), 'utf8')
      .trimEnd()
      .split('\n');
    const holds = name.startsWith('files') ? 'files' : 'entries';
    expect(contentOf(holds, image, true)).toEqual(expected);
    expect(contentOf(holds, image, false)).toEqual(expected);
  });
});

describe('changing bytes changes the version', () => {
  const version = versionWritten();

  it('there are golden images of the version that is written', () => {
    expect(Object.keys(GOLDEN).map(Number)).toContain(version);
  });

  it('the tables of the format are those of the version', () => {
    const text = readFileSync(new URL('../../../docs/format.md', import.meta.url), 'utf8');
    expect(text.split('\n')[0]).toContain(`version ${version}`);
    const rows = [...text.matchAll(/^\| `([^`]+)` \| (\d+) \|/gm)].map(([, name, value]) => `${name} ${value}`);
    expect(rows.length).toBeGreaterThan(100);
    expect(sha256(rows.join('\n'))).toBe(TABLES[version]);
  });
});
