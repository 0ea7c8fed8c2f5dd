/** `copyFile` gives the copy the permissions of the source, whatever the umask and whatever was there before. */
import { MemoryDevice } from '@outwrite/blockdev';
import { beforeEach, describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

let fs: Volume['fs'];

beforeEach(() => {
  const device = new MemoryDevice({ maxSizeBytes: 16 << 20 });
  fs = Volume.create(device, { autoCommitMilliseconds: 0, umask: 0o027 }).fs;
});

describe.each([0o777, 0o400, 0, 0o6755, 0o1777])('%o', (permissions) => {
  it('comes along', async () => {
    fs.writeFileSync('/source', 'content');
    fs.chmodSync('/source', permissions);
    fs.writeFileSync('/there', 'another content', { mode: 0o640 });
    fs.symlinkSync('behind', '/link');
    for (const path of ['/new', '/there', '/link']) fs.copyFileSync('/source', path);
    fs.writeFileSync('/there-too', '', { mode: 0o640 });
    for (const path of ['/new-too', '/there-too']) await fs.promises.copyFile('/source', path);
    for (const path of ['/new', '/there', '/behind', '/new-too', '/there-too']) {
      expect(fs.statSync(path).mode).toBe(0o100000 | permissions);
      expect(fs.readFileSync(path, 'utf8')).toBe('content');
    }
  });
});
