/**
 * Random steps on names and files, and a run that makes each of them on a volume and on a naive file system at once.
 *
 * Every step must end with the same code on both; `compare` holds everything that the volume shows against the model.
 */
import type { BlockDevice } from '@outwrite/blockdev';
import fc from 'fast-check';
import { expect } from 'vitest';
import { maxNameBytes, Volume, type VolumeTuning } from '../src/index.ts';
import { expectSame } from './compare.ts';
import { ModelError, ModelFs, type ModelNode, sortedNames } from './model-fs.ts';

export type Step =
  | { do: 'mkdir' | 'rmdir' | 'unlink' | 'read' | 'readlink' | 'list'; path: Path }
  | { do: 'write'; path: Path; size: number }
  | { do: 'writeAt'; path: Path; position: number; size: number }
  | { do: 'truncate'; path: Path; size: number }
  | { do: 'punch'; path: Path; position: number; size: number }
  | { do: 'link' | 'rename'; from: Path; to: Path }
  | { do: 'symlink'; target: Path; path: Path }
  | { do: 'chmod'; path: Path; mode: number }
  | { do: 'setxattr'; path: Path; name: string; size: number }
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

export const step: fc.Arbitrary<Step> = fc.oneof(
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
      size: fc.constantFrom(0, 1, 3000),
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

export class NamespaceRun {
  readonly device: BlockDevice;
  readonly tuning: VolumeTuning;
  readonly model: ModelFs;
  volume: Volume;
  /** Descriptors of files without a name, with their nodes in the model. */
  readonly open: { fd: number; node: ModelNode }[] = [];
  #seed = 0;

  /** For steps that reopen, the device must outlive its owner. */
  constructor(device: BlockDevice, blockSize: number, tuning: VolumeTuning) {
    this.device = device;
    this.tuning = tuning;
    this.model = new ModelFs(maxNameBytes(blockSize));
    this.volume = Volume.create(device, { blockSize, ...tuning });
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
        same(
          () => model.mkdir(step.path),
          () => fs.mkdirSync(step.path),
        );
        return;
      case 'rmdir':
        same(
          () => model.rmdir(step.path),
          () => fs.rmdirSync(step.path),
        );
        return;
      case 'unlink':
        same(
          () => model.unlink(step.path),
          () => fs.unlinkSync(step.path),
        );
        return;
      case 'read':
        same(
          () => model.read(step.path),
          () => fs.readFileSync(step.path),
        );
        return;
      case 'readlink':
        same(
          () => model.readlink(step.path),
          () => fs.readlinkSync(step.path),
        );
        return;
      case 'list':
        same(
          () =>
            model.find(step.path).type === 'directory'
              ? null
              : (() => {
                  throw new ModelError('ENOTDIR');
                })(),
          () => fs.readdirSync(step.path),
        );
        return;
      case 'write': {
        const data = fill(step.size, seed);
        same(
          () => model.writeFile(step.path, data),
          () => fs.writeFileSync(step.path, data),
        );
        return;
      }
      case 'writeAt': {
        const data = fill(step.size, seed);
        same(
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
        return;
      }
      case 'truncate':
        same(
          () => model.truncate(step.path, step.size),
          () => fs.truncateSync(step.path, step.size),
        );
        return;
      case 'punch':
        same(
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
        return;
      case 'rename':
        same(
          () => model.rename(step.from, step.to),
          () => fs.renameSync(step.from, step.to),
        );
        return;
      case 'link':
        same(
          () => model.link(step.from, step.to),
          () => fs.linkSync(step.from, step.to),
        );
        return;
      case 'symlink':
        same(
          () => model.symlink(step.target, step.path),
          () => fs.symlinkSync(step.target, step.path),
        );
        return;
      case 'chmod':
        same(
          () => model.chmod(step.path, step.mode),
          () => fs.chmodSync(step.path, step.mode),
        );
        return;
      case 'setxattr':
        same(
          () => model.setxattr(step.path, step.name, String(seed % 10).repeat(step.size)),
          () => fs.setxattrSync(step.path, step.name, String(seed % 10).repeat(step.size)),
        );
        return;
      case 'removexattr':
        same(
          () => model.removexattr(step.path, step.name),
          () => fs.removexattrSync(step.path, step.name),
        );
        return;
      case 'openUnlinked': {
        let node: ModelNode | null = null;
        const data = fill(step.size, seed);
        same(
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
        return;
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
        this.volume = Volume.open(this.device, this.tuning);
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
