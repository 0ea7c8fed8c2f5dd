/**
 * A volume against a naive file system in memory: random operations, the same codes for what fails, everything compared after each step.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxNameBytes, Volume } from '../src/index.ts';
import { expectSame } from './compare.ts';
import { LastingDevice } from './lasting-device.ts';
import { ModelError, ModelFs, type ModelNode, sortedNames } from './model-fs.ts';

type Step =
  | { do: 'mkdir' | 'rmdir' | 'unlink' | 'read' | 'readlink' | 'list'; path: Path }
  | { do: 'write'; path: Path; size: number }
  | { do: 'writeAt'; path: Path; position: number; size: number }
  | { do: 'truncate'; path: Path; size: number }
  | { do: 'punch'; path: Path; position: number; size: number }
  | { do: 'link' | 'rename'; from: Path; to: Path }
  | { do: 'symlink'; target: Path; path: Path }
  | { do: 'chmod'; path: Path; mode: number }
  | { do: 'setxattr'; path: Path; name: string; value: string }
  | { do: 'removexattr'; path: Path; name: string }
  | { do: 'openUnlinked'; path: Path; size: number }
  | { do: 'closeUnlinked' | 'commit' | 'checkpoint' | 'reopen' | 'check' };

/** A path as it stands, or one chosen when the step runs: the `pick`th of those that exist, with a name added or not. */
type Path = string | { pick: number; add: string };

const name = fc.constantFrom('a', 'b', 'c', 'ü𝄞', '\uffee');
const pick = fc.nat({ max: 1000 });
const path: fc.Arbitrary<Path> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ pick, add: fc.constant('') }) },
  { weight: 8, arbitrary: fc.record({ pick, add: name }) },
  {
    weight: 1,
    arbitrary: fc.record({ pick, add: fc.constantFrom('/', '/.', '/..', '//', '/../a', '/b/', '/./c/../a') }),
  },
  { weight: 1, arbitrary: fc.constantFrom('/', '', `/${'n'.repeat(300)}`, '/a/..', '/..', 'a', '/b/c/d', '//b//a') },
);
const size = fc.oneof(
  fc.integer({ min: 0, max: 200 }),
  fc.integer({ min: 0, max: 6000 }),
  fc.constantFrom(0, 128, 1024, 4096, 40_000),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('mkdir' as const), path }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('write' as const), path, size }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('writeAt' as const), path, position: size, size }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('truncate' as const), path, size }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('punch' as const), path, position: size, size }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('rmdir' as const, 'unlink' as const), path }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('read' as const, 'readlink' as const, 'list' as const), path }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('rename' as const), from: path, to: path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('link' as const), from: path, to: path }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('symlink' as const),
      target: fc.oneof(
        { weight: 5, arbitrary: path.filter((text) => text !== '') },
        fc.constantFrom('a', '../b', '/', `/${'long/'.repeat(30)}x`),
      ),
      path,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('chmod' as const), path, mode: fc.integer({ min: 0, max: 0o7777 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('setxattr' as const),
      path,
      name: fc.constantFrom('user.x', 'user.y'),
      value: fc.constantFrom('', 'v', 'w'.repeat(3000)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('removexattr' as const), path, name: fc.constantFrom('user.x', 'user.y') }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('openUnlinked' as const), path, size }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('closeUnlinked' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('commit' as const, 'checkpoint' as const, 'reopen' as const, 'check' as const),
    }),
  },
);

function fill(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index * 7 + seed * 31 + (index >>> 8)) & 0xff);
}

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'ok';
  } catch (error) {
    if (error instanceof ModelError) return error.code;
    const { code } = error as { code?: string };
    if (code === undefined) throw error;
    return code;
  }
}

/** A step whose paths are texts. */
type Settled<S> = S extends object
  ? { [Key in keyof S]: S[Key] extends Path ? (S[Key] extends string ? S[Key] : string) : S[Key] }
  : never;

class Run {
  readonly device: LastingDevice;
  readonly model: ModelFs;
  volume: Volume;
  /** Descriptors of files without a name, with their nodes in the model. */
  readonly open: { fd: number; node: ModelNode }[] = [];
  #seed = 0;

  constructor(blockSize: number) {
    this.device = new LastingDevice({ maxSizeBytes: 256 << 20 });
    this.model = new ModelFs(maxNameBytes(blockSize));
    // A cache so small that inodes and names are evicted all the time.
    this.volume = Volume.create(this.device, { blockSize, ...this.#tuning });
  }

  get #tuning(): object {
    return { autoCommitMilliseconds: 0, cachedInodes: 8, cachedNames: 8, cacheBytes: 4 << 20 };
  }

  /** All paths of the model, without following links. */
  #paths(): string[] {
    const paths: string[] = [];
    const walk = (prefix: string, node: ModelNode): void => {
      paths.push(prefix === '' ? '/' : prefix);
      for (const child of sortedNames(node)) walk(`${prefix}/${child}`, node.children.get(child) as ModelNode);
    };
    walk('', this.model.root);
    return paths;
  }

  /** The step with its paths chosen. */
  #settled(step: object): object {
    const paths = this.#paths();
    const entries = Object.entries(step).map(([key, value]) => {
      if (typeof value !== 'object') return [key, value];
      const { pick, add } = value as { pick: number; add: string };
      const base = paths[pick % paths.length];
      return [key, add === '' || add.startsWith('/') || base === '/' ? base + add : `${base}/${add}`];
    });
    return Object.fromEntries(entries);
  }

  step(chosen: Step): void {
    const step = this.#settled(chosen) as Settled<Step>;
    const { model } = this;
    const { fs } = this.volume;
    const seed = this.#seed++;
    const same = (onModel: () => unknown, onVolume: () => unknown): void => {
      const expected = codeOf(onModel);
      expect(codeOf(onVolume), JSON.stringify(step)).toBe(expected);
    };
    switch (step.do) {
      case 'mkdir':
        return same(
          () => model.mkdir(step.path),
          () => fs.mkdirSync(step.path),
        );
      case 'rmdir':
        return same(
          () => model.rmdir(step.path),
          () => fs.rmdirSync(step.path),
        );
      case 'unlink':
        return same(
          () => model.unlink(step.path),
          () => fs.unlinkSync(step.path),
        );
      case 'read':
        return same(
          () => model.read(step.path),
          () => fs.readFileSync(step.path),
        );
      case 'readlink':
        return same(
          () => model.readlink(step.path),
          () => fs.readlinkSync(step.path),
        );
      case 'list':
        return same(
          () =>
            model.find(step.path).type === 'directory'
              ? null
              : (() => {
                  throw new ModelError('ENOTDIR');
                })(),
          () => fs.readdirSync(step.path),
        );
      case 'write': {
        const data = fill(step.size, seed);
        return same(
          () => model.writeFile(step.path, data),
          () => fs.writeFileSync(step.path, data),
        );
      }
      case 'writeAt': {
        const data = fill(step.size, seed);
        return same(
          () => model.writeAt(step.path, step.position, data),
          () => {
            const fd = fs.openSync(step.path, 'r+');
            try {
              fs.writeSync(fd, data, 0, data.length, step.position);
            } finally {
              fs.closeSync(fd);
            }
          },
        );
      }
      case 'truncate':
        return same(
          () => model.truncate(step.path, step.size),
          () => fs.truncateSync(step.path, step.size),
        );
      case 'punch':
        return same(
          () => model.punch(step.path, step.position, step.size),
          () => {
            const fd = fs.openSync(step.path, 'r+');
            try {
              fs.punchHoleSync(fd, step.position, step.size);
            } finally {
              fs.closeSync(fd);
            }
          },
        );
      case 'rename':
        return same(
          () => model.rename(step.from, step.to),
          () => fs.renameSync(step.from, step.to),
        );
      case 'link':
        return same(
          () => model.link(step.from, step.to),
          () => fs.linkSync(step.from, step.to),
        );
      case 'symlink':
        return same(
          () => model.symlink(step.target, step.path),
          () => fs.symlinkSync(step.target, step.path),
        );
      case 'chmod':
        return same(
          () => model.chmod(step.path, step.mode),
          () => fs.chmodSync(step.path, step.mode),
        );
      case 'setxattr':
        return same(
          () => model.setxattr(step.path, step.name, step.value),
          () => fs.setxattrSync(step.path, step.name, step.value),
        );
      case 'removexattr':
        return same(
          () => model.removexattr(step.path, step.name),
          () => fs.removexattrSync(step.path, step.name),
        );
      case 'openUnlinked': {
        let node: ModelNode | null = null;
        const data = fill(step.size, seed);
        return same(
          () => {
            node = model.find(step.path);
            if (node.type === 'directory') throw new ModelError('EISDIR');
            node.content = data;
            model.unlink(step.path);
          },
          () => {
            const fd = fs.openSync(step.path, 'r+');
            fs.ftruncateSync(fd, 0);
            fs.writeSync(fd, data);
            this.open.push({ fd, node: node as unknown as ModelNode });
            fs.unlinkSync(step.path);
          },
        );
      }
      case 'closeUnlinked':
        for (const { fd } of this.open.splice(0)) fs.closeSync(fd);
        return;
      case 'commit':
        this.volume.commitSync();
        return;
      case 'checkpoint':
        this.volume.checkpointSync();
        return;
      case 'check':
        expect([...this.volume.check()]).toEqual([]);
        return;
      case 'reopen':
        this.open.length = 0;
        this.volume.closeSync();
        this.volume = Volume.open(this.device, this.#tuning);
        return;
    }
  }

  compare(): void {
    this.volume.checkInvariants();
    expectSame(this.volume, this.model);
    for (const { fd, node } of this.open) {
      const bytes = new Uint8Array(node.content.length + 1);
      expect(this.volume.fs.readSync(fd, bytes, 0, bytes.length, 0)).toBe(node.content.length);
      expect(Buffer.from(node.content).equals(bytes.subarray(0, node.content.length))).toBe(true);
    }
  }
}

describe.each([512, 4096, 16384])('blocks of %i bytes', (blockSize) => {
  it('does what a naive file system does', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 80, size: 'max' }), (steps) => {
        const run = new Run(blockSize);
        for (const step of steps) {
          run.step(step);
          run.compare();
        }
        expect([...run.volume.check()]).toEqual([]);
        run.volume.closeSync();
      }),
      { numRuns: Number(process.env.OUTWRITE_RUNS ?? 40) },
    );
  });
});
