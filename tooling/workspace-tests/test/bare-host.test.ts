import { describe, expect, it } from 'vitest';
import { hostFindings, runOnBareHost } from '../src/host-rules.ts';
import { layerOrder, readPackages, readSourceFiles, type SourceFile } from '../src/workspace-files.ts';

const cores = readPackages().filter((entry) => layerOrder.includes(entry.name));

describe('core packages need no Node', () => {
  for (const core of cores) {
    it(`${core.name} names nothing of Node`, () => {
      expect(hostFindings(readSourceFiles(core))).toEqual([]);
    });

    const entries = Object.keys(core.manifest.exports ?? {}).filter(
      (key) => key !== './package.json' && key !== './node',
    );
    for (const entry of entries) {
      const specifier = `${core.name}${entry.slice(1)}`;
      it(`${specifier} loads where there is no Node`, async () => {
        const program = `import * as entry from '${specifier}'; export const result = Object.keys(entry).length;`;
        expect(await runOnBareHost(program)).toBeGreaterThan(0);
      });
    }
  }

  it('a device, a checksum and an error work there, not only load', async () => {
    const program = `
      import { MemoryDevice, ReadOnlyError, xxh32 } from '@outwrite/blockdev';
      async function run() {
        const device = new MemoryDevice({ sizeBytes: 65536 });
        device.writeSync(4096, [new TextEncoder().encode('outwrite'.repeat(64))]);
        await device.flush();
        const bytes = new Uint8Array(512);
        device.readSync(4096, [bytes]);
        return [new TextDecoder().decode(bytes.subarray(0, 8)), xxh32(bytes), new ReadOnlyError('x').code];
      }
      export const result = run();`;
    expect(await runOnBareHost(program)).toEqual(['outwrite', expect.any(Number), 'EROFS']);
  });

  it('a volume works there: files, links, a commit, and opening again', async () => {
    const program = `
      import { MemoryDevice } from '@outwrite/blockdev';
      import { Volume } from '@outwrite/volume';
      async function run() {
        const device = new MemoryDevice();
        const volume = Volume.create(device);
        volume.fs.mkdirSync('/a/b', { recursive: true });
        volume.fs.writeFileSync('/a/b/large', new Uint8Array(100000).fill(7));
        volume.fs.symlinkSync('b/large', '/a/link');
        await volume.commit();
        await volume.fs.promises.writeFile('/a/small', 'text');
        const image = device.snapshot();
        await volume.close();
        const again = Volume.open(MemoryDevice.fromImage(image));
        const found = [again.fs.readFileSync('/a/link').length, again.fs.existsSync('/a/small'), [...again.check()].length];
        await again.close();
        return found;
      }
      export const result = run();`;
    expect(await runOnBareHost(program)).toEqual([100000, false, 0]);
  });

  it('a file handle is disposed of where the host has a symbol of its own for that', async () => {
    const program = `
      const own = Symbol('Symbol.asyncDispose');
      Object.defineProperty(Symbol, 'asyncDispose', { value: own });
      async function run() {
        const { MemoryDevice } = await import('@outwrite/blockdev');
        const { Volume } = await import('@outwrite/volume');
        const volume = Volume.create(new MemoryDevice());
        const handle = await volume.fs.promises.open('/a', 'w');
        await handle[own]();
        return handle.fd;
      }
      export const result = run();`;
    expect(await runOnBareHost(program)).toBe(-1);
  });
});

describe('bare-host canaries: each violation is found', () => {
  const violations: [string, string][] = [
    ['an import of Node', "import { openSync } from 'node:fs';"],
    ['an import of Node without its prefix', "import { join } from 'path';"],
    ['a dynamic import of Node', "export const later = () => import('node:fs');"],
    ['an import of the entry for Node', "import { openFileDevice } from './node.ts';"],
    ['Buffer', 'export const bytes = Buffer.alloc(16);'],
    ['process', "export const on = process.env.OUTWRITE === '1';"],
    ['setImmediate', 'export function later(f: () => void): void { setImmediate(f); }'],
  ];
  for (const [name, text] of violations) {
    it(`by reading: ${name}`, () => {
      const file: SourceFile = { packageName: layerOrder[0], path: 'src/canary.ts', text };
      expect(hostFindings([file])).toHaveLength(1);
      expect(hostFindings([{ ...file, path: 'src/node/canary.ts' }])).toEqual([]);
    });
  }

  it('by reading: a parameter called process is no use of Node', () => {
    const text = 'export function f(process: { env: number }): number { return process.env; }';
    expect(hostFindings([{ packageName: layerOrder[0], path: 'src/canary.ts', text }])).toEqual([]);
  });

  it('by running: an import of Node', async () => {
    await expect(runOnBareHost("import 'node:fs'; export const result = 1;")).rejects.toThrow(/node:fs/);
  });

  it('by running: an import of Node below a package', async () => {
    await expect(runOnBareHost("import '@outwrite/blockdev/node'; export const result = 1;")).rejects.toThrow(/node:/);
  });

  for (const name of ['Buffer', 'process', 'setImmediate', 'global']) {
    it(`by running: the global ${name}`, async () => {
      await expect(runOnBareHost(`export const result = ${name};`)).rejects.toThrow(`${name} is not defined`);
    });
  }
});
