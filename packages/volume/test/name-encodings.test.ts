/** Names are handed out in the encoding that is asked for, by every function that hands out names. */
import { MemoryDevice } from '@outwrite/blockdev';
import { beforeEach, describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';
import { NodeFs } from '../src/node.ts';
import { createWith } from '../src/volume.ts';

const device = (): MemoryDevice => new MemoryDevice({ maxSizeBytes: 16 << 20 });
const settings = { autoCommitMilliseconds: 0 };
const portable = (): Volume['fs'] => Volume.create(device(), settings).fs;
const ofNode = (): Volume['fs'] =>
  createWith(device(), settings, (head) => new NodeFs(head)).fs as unknown as Volume['fs'];

let fs: Volume['fs'];

/** What each function that hands out names says of names that all are `é`. */
async function named(encoding: string): Promise<unknown[]> {
  const open = fs.opendirSync('/d', { encoding });
  const entry = open.readSync();
  open.closeSync();
  const opened = await fs.promises.opendir('/d', encoding);
  const entryToo = await opened.read();
  await opened.close();
  return [
    ...fs.readdirSync('/d', encoding),
    ...fs.readdirSync('/d', { encoding }),
    ...(await fs.promises.readdir('/d', { encoding })),
    ...fs.readdirSync('/d', { encoding, withFileTypes: true }).map(({ name }) => name),
    fs.readlinkSync('/l', encoding),
    await fs.promises.readlink('/l', { encoding }),
    entry?.name,
    entryToo?.name,
  ];
}

describe.each([
  ['portable', portable, ['utf8', 'latin1', 'ascii', 'hex']],
  ['of Node', ofNode, ['utf8', 'latin1', 'ascii', 'hex', 'base64', 'base64url', 'utf16le', 'HEX']],
] as const)('%s', (_title, make, encodings) => {
  beforeEach(() => {
    fs = make();
    fs.mkdirSync('/d/é', { recursive: true });
    fs.symlinkSync('é', '/l');
    fs.symlinkSync('d/é', '/r');
  });

  it('names in an encoding', async () => {
    for (const encoding of encodings) {
      const coded = (text: string) => Buffer.from(text).toString(encoding as BufferEncoding);
      expect(await named(encoding)).toEqual(new Array(8).fill(coded('é')));
      expect(fs.realpathSync('/r', encoding)).toBe(coded('/d/é'));
      expect(await fs.promises.realpath('/r', { encoding })).toBe(coded('/d/é'));
      const made = Buffer.from(fs.mkdtempSync('/t-', encoding), encoding as BufferEncoding);
      expect(made.subarray(0, 3).toString()).toBe('/t-');
      expect(await fs.promises.mkdtemp('/t-', { encoding })).toHaveLength(coded('/t-123456').length);
    }
  });

  it('names as bytes', async () => {
    const bytes = (text: string) => [...Buffer.from(text)];
    for (const name of await named('buffer')) expect([...(name as Uint8Array)]).toEqual(bytes('é'));
    expect([...fs.realpathSync('/r', 'buffer')]).toEqual(bytes('/d/é'));
    expect([...(await fs.promises.realpath('/r', { encoding: 'buffer' }))]).toEqual(bytes('/d/é'));
    const made = [fs.mkdtempSync('/t-', 'buffer'), await fs.promises.mkdtemp('/t-', 'buffer')];
    expect(made.map((path) => Buffer.from(path).toString()).sort()).toEqual(
      fs.readdirSync('/').flatMap((name) => (name.startsWith('t-') ? [`/${name}`] : [])),
    );
  });

  it('an encoding that is none is refused before anything is done', async () => {
    const refused = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
    fs.mkdirSync('/empty');
    expect(() => fs.readdirSync('/empty', 'nope')).toThrow(refused);
    expect(() => fs.opendirSync('/empty', 'nope')).toThrow(refused);
    expect(() => fs.readlinkSync('/l', 'nope')).toThrow(refused);
    expect(() => fs.realpathSync('/l', { encoding: 'nope' })).toThrow(refused);
    expect(() => fs.mkdtempSync('/t-', 'nope')).toThrow(refused);
    await expect(fs.promises.mkdtemp('/t-', 'nope')).rejects.toEqual(refused);
    expect(fs.readdirSync('/').sort()).toEqual(['d', 'empty', 'l', 'r']);
  });

  it('an empty text is no encoding', async () => {
    expect(new Set(await named(''))).toEqual(new Set(['é']));
    expect(fs.realpathSync('/r', '')).toBe('/d/é');
  });
});
