/** Paths and link targets given as bytes: those that are no UTF-8 are refused, as texts with a lone surrogate are. */
import { MemoryDevice } from '@outwrite/blockdev';
import { beforeEach, describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const invalid = expect.objectContaining({ code: 'EINVAL' });

let fs: Volume['fs'];

beforeEach(() => {
  fs = Volume.create(new MemoryDevice({ maxSizeBytes: 16 << 20 }), { autoCommitMilliseconds: 0 }).fs;
});

describe.each([
  ['a byte that begins nothing', Uint8Array.of(0x2f, 0xff)],
  ['a sequence that is cut off', Uint8Array.of(0x2f, 0x61, 0xc3)],
  ['a surrogate', Uint8Array.of(0x2f, 0xed, 0xa0, 0x80)],
  ['a part of the way', Uint8Array.of(0x2f, 0xfe, 0x2f, 0x61)],
])('%s', (_title, path) => {
  it('is EINVAL', async () => {
    expect(() => fs.writeFileSync(path, 'x')).toThrow(invalid);
    expect(() => fs.mkdirSync(path)).toThrow(invalid);
    expect(() => fs.mkdirSync(path, { recursive: true })).toThrow(invalid);
    expect(() => fs.statSync(path)).toThrow(invalid);
    expect(() => fs.readFileSync(path)).toThrow(invalid);
    expect(() => fs.rmSync(path, { force: true })).toThrow(invalid);
    expect(() => fs.symlinkSync(path, '/link')).toThrow(invalid);
    expect(() => fs.symlinkSync('target', path)).toThrow(invalid);
    await expect(fs.promises.writeFile(path, 'x')).rejects.toEqual(invalid);
    expect(fs.existsSync(path)).toBe(false);
    expect(fs.readdirSync('/')).toEqual([]);
  });
});

it('UTF-8 is taken as it is, U+FFFD and a byte order mark with it', () => {
  for (const name of ['é€😀', '\ufffd', '\ufeffmarked']) {
    fs.writeFileSync(bytesOf(`/${name}`), name);
    expect(fs.readFileSync(`/${name}`)).toEqual(bytesOf(name));
    fs.unlinkSync(bytesOf(name));
    fs.symlinkSync(bytesOf(name), '/link');
    expect(fs.readlinkSync('/link')).toBe(name);
    fs.unlinkSync('/link');
  }
});
