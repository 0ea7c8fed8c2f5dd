/** Whole-file functions with a signal that is aborted already: they reject, and do nothing. */
import { MemoryDevice } from '@outwrite/blockdev';
import { beforeEach, describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

const aborted = (reason: unknown): unknown =>
  expect.objectContaining({ name: 'AbortError', code: 'ABORT_ERR', cause: reason });

let fs: Volume['fs'];

beforeEach(() => {
  fs = Volume.create(new MemoryDevice({ maxSizeBytes: 16 << 20 }), { autoCommitMilliseconds: 0 }).fs;
  fs.writeFileSync('/file', 'as it was');
});

describe.each([
  ['a path', async () => '/file'],
  ['a handle', () => fs.promises.open('/file', 'r+')],
])('%s', (_title, target) => {
  it.each([3, 300_000])('%d bytes are neither read nor written', async (sizeBytes) => {
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    const file = await target();
    const { promises } = fs;
    await expect(promises.readFile(file, { signal })).rejects.toEqual(aborted(reason));
    await expect(promises.writeFile(file, new Uint8Array(sizeBytes), { signal })).rejects.toEqual(aborted(reason));
    await expect(promises.appendFile(file, new Uint8Array(sizeBytes), { signal })).rejects.toEqual(aborted(reason));
    expect(fs.readFileSync('/file', 'utf8')).toBe('as it was');
    if (typeof file !== 'string') await file.close();
  });
});

it('a handle neither reads nor writes', async () => {
  const signal = AbortSignal.abort();
  const handle = await fs.promises.open('/file', 'r+');
  await expect(handle.readFile({ signal })).rejects.toEqual(aborted(signal.reason));
  await expect(handle.writeFile('changed', { signal })).rejects.toEqual(aborted(signal.reason));
  await expect(handle.appendFile('changed', { signal })).rejects.toEqual(aborted(signal.reason));
  expect(await handle.readFile({ encoding: 'utf8', signal: new AbortController().signal })).toBe('as it was');
  await handle.close();
});

it('no file is made, and a missing one is not looked for', async () => {
  const signal = AbortSignal.abort();
  await expect(fs.promises.writeFile('/new', 'x', { signal })).rejects.toEqual(aborted(signal.reason));
  await expect(fs.promises.readFile('/new', { signal })).rejects.toEqual(aborted(signal.reason));
  expect(fs.readdirSync('/')).toEqual(['file']);
});

it('a signal that is not aborted changes nothing, and what is no signal is refused', async () => {
  const { signal } = new AbortController();
  await fs.promises.writeFile('/file', 'changed', { signal });
  expect(await fs.promises.readFile('/file', { encoding: 'utf8', signal })).toBe('changed');
  const refused = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  await expect(fs.promises.readFile('/file', { signal: 5 as never })).rejects.toEqual(refused);
  await expect(fs.promises.writeFile('/file', 'x', { signal: {} as never })).rejects.toEqual(refused);
});
