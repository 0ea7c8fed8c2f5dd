/**
 * A volume as a layer of the lab: directories, files small and large with holes, links of both kinds, renames, files that lose their name
 * while they are open.
 */
import type { LogView, RecoveryReport } from '@outwrite/alloc-log';
import { type BlockDevice, ClosedError, xxh32 } from '@outwrite/blockdev';
import type { Random } from '@outwrite/testkit';
import { Volume } from '@outwrite/volume';
import type { Balance, Layer, Model, Settings, Subject } from '../layer.ts';
import { formatOptions, logOptions } from '../log-options.ts';

type ModelNode =
  | { type: 'file'; bytes: Uint8Array; links: number }
  | { type: 'link'; target: string; links: number }
  | { type: 'directory' };

/** A copy of the nodes of a model by path; names that share a node share its copy. Bytes are replaced and never changed, so they are not copied. */
export function cloneNodes<Node extends object>(nodes: ReadonlyMap<string, Node>): Map<string, Node> {
  const copies = new Map<Node, Node>();
  const cloned = new Map<string, Node>();
  for (const [path, node] of nodes) {
    let copy = copies.get(node);
    if (copy === undefined) copies.set(node, (copy = { ...node }));
    cloned.set(path, copy);
  }
  return cloned;
}

class VolumeModel implements Model {
  /** By path; two names of one file share their node. */
  readonly nodes: Map<string, ModelNode>;

  constructor(nodes: Map<string, ModelNode> = new Map()) {
    this.nodes = nodes;
  }

  text(): string {
    const lines = [...this.nodes].map(([path, node]) => {
      if (node.type === 'directory') return `${path}/`;
      return `${path} ${node.links} ${node.type === 'file' ? digest(node.bytes) : node.target}`;
    });
    return lines.sort().join('\n');
  }

  clone(): VolumeModel {
    return new VolumeModel(cloneNodes(this.nodes));
  }
}

export class VolumeSubject implements Subject {
  readonly volume: Volume;
  #latched = false;

  constructor(volume: Volume) {
    this.volume = volume;
  }

  get openDelta(): number {
    return this.#numbers().openDelta;
  }

  get durableDelta(): number {
    return this.#numbers().durableDelta;
  }

  #last = { openDelta: 0, durableDelta: 0 };

  /** The present figures, or the last ones of a closed volume. */
  #numbers(): { openDelta: number; durableDelta: number } {
    try {
      const { openDelta, durableDelta, latched } = this.volume.stats();
      this.#latched = latched;
      this.#last = { openDelta, durableDelta };
    } catch (error) {
      if (!(error instanceof ClosedError)) throw error;
    }
    return this.#last;
  }

  get recovery(): RecoveryReport | null {
    return this.volume.recovery;
  }

  get latched(): boolean {
    this.#numbers();
    return this.#latched;
  }

  content(): string {
    const { fs } = this.volume;
    const lines: string[] = [];
    const walk = (folder: string): void => {
      for (const name of fs.readdirSync(folder === '' ? '/' : folder) as string[]) {
        const path = `${folder}/${name}`;
        const stats = fs.lstatSync(path);
        if (stats.isDirectory()) {
          lines.push(`${path}/`);
          walk(path);
        } else if (stats.isSymbolicLink()) {
          lines.push(`${path} ${stats.nlink} ${fs.readlinkSync(path)}`);
        } else {
          lines.push(`${path} ${stats.nlink} ${digest(fs.readFileSync(path) as Uint8Array)}`);
        }
      }
    };
    walk('');
    return lines.sort().join('\n');
  }

  audit(): string[] {
    const findings: string[] = [];
    for (const { code, message } of this.volume.check()) findings.push(`${code}: ${message}`);
    this.volume.checkInvariants();
    return findings;
  }

  commit(): Promise<number> {
    return this.volume.commit();
  }

  commitSync(): number {
    return this.volume.commitSync();
  }

  checkpoint(): Promise<void> {
    return this.volume.checkpoint();
  }

  checkpointSync(): void {
    this.volume.checkpointSync();
  }

  close(): Promise<void> {
    this.#numbers();
    return this.volume.close();
  }

  closeSync(): void {
    this.#numbers();
    this.volume.closeSync();
    this.#numbers();
  }

  openView(): LogView {
    throw new Error('a volume opens no views');
  }

  balance(): Balance {
    return this.volume.stats().space;
  }
}

const volumeTuning = {
  autoCommitMilliseconds: 0,
  cachedInodes: 16,
  cachedNames: 16,
  clock: () => 1_700_000_000_000,
};

/** A new volume for a layer that tests volumes. */
export function createVolume(device: BlockDevice, settings: Settings, random: Random): Volume {
  return Volume.create(device, { ...volumeTuning, ...formatOptions(settings, random) });
}

/** The volume on `device`, as such a layer opens it. */
export function openVolume(
  device: BlockDevice,
  settings: Settings,
  { readOnly, random }: { readOnly: boolean; random: Random },
): Volume {
  return Volume.open(device, { ...volumeTuning, ...logOptions(settings, random), readOnly });
}

export const volumeLayer: Layer = {
  name: 'volume',
  changesInSteps: true,

  newModel(): Model {
    return new VolumeModel();
  },

  format(device: BlockDevice, settings: Settings, random: Random): Subject {
    return new VolumeSubject(createVolume(device, settings, random));
  },

  open(device: BlockDevice, settings: Settings, options: { readOnly: boolean; random: Random }): Subject {
    return new VolumeSubject(openVolume(device, settings, options));
  },

  change(subject: Subject, model: Model, settings: Settings, random: Random): boolean {
    const { fs } = (subject as VolumeSubject).volume;
    const { nodes } = model as VolumeModel;
    const folders = ['', ...[...nodes].filter(([, node]) => node.type === 'directory').map(([path]) => path)];
    const path = `${random.pick(folders)}/${random.chance(0.3) ? 'a longer name of a file ' : 'f'}${random.below(settings.population)}`;
    const node = nodes.get(path);
    const draw = random.below(100);
    if (node === undefined) {
      if (draw < 8 && folders.length < 6) {
        fs.mkdirSync(path);
        nodes.set(path, { type: 'directory' });
      } else if (draw < 16) {
        fs.symlinkSync('elsewhere', path);
        nodes.set(path, { type: 'link', target: 'elsewhere', links: 1 });
      } else {
        const bytes = content(random, settings);
        try {
          fs.writeFileSync(path, bytes);
          nodes.set(path, { type: 'file', bytes, links: 1 });
        } catch (error) {
          if (!isFull(error)) throw error;
          // A part of it is written, as everywhere.
          if (fs.existsSync(path)) {
            nodes.set(path, { type: 'file', bytes: fs.readFileSync(path) as Uint8Array, links: 1 });
          }
        }
      }
      return true;
    }
    if (node.type === 'directory') {
      if ([...nodes.keys()].some((other) => other.startsWith(`${path}/`))) return false;
      fs.rmdirSync(path);
      nodes.delete(path);
      return true;
    }
    if (draw < 20) {
      // Some lose their name while they are open; whoever has them open may be killed.
      if (node.type === 'file' && random.chance(0.3)) fs.openSync(path, 'r+');
      try {
        fs.unlinkSync(path);
      } catch (error) {
        if (isFull(error) && settings.lateWrites !== true)
          throw new Error('an unlink ran out of space', { cause: error });
        throw error;
      }
      nodes.delete(path);
      node.links--;
      return true;
    }
    const target = `${random.pick(folders)}/f${random.below(settings.population)}`;
    const there = nodes.get(target);
    if (draw < 35 && target !== path && there?.type !== 'directory') {
      // Two names of one file: renaming does nothing.
      fs.renameSync(path, target);
      if (there === node) return true;
      if (there !== undefined) there.links--;
      nodes.set(target, node);
      nodes.delete(path);
      return true;
    }
    if (node.type === 'link') return false;
    if (draw < 45 && there === undefined) {
      fs.linkSync(path, target);
      node.links++;
      nodes.set(target, node);
    } else if (draw < 60) {
      const sizeBytes = random.below(node.bytes.length * 2 + 2);
      fs.truncateSync(path, sizeBytes);
      const bytes = new Uint8Array(sizeBytes);
      bytes.set(node.bytes.subarray(0, sizeBytes));
      node.bytes = bytes;
    } else {
      const position = random.below(node.bytes.length + 1000);
      const written = content(random, settings);
      const descriptor = fs.openSync(path, 'r+');
      try {
        fs.writeSync(descriptor, written, 0, written.length, position);
      } catch (error) {
        if (!isFull(error)) throw error;
        node.bytes = fs.readFileSync(path) as Uint8Array;
        return true;
      } finally {
        fs.closeSync(descriptor);
      }
      const bytes = new Uint8Array(Math.max(node.bytes.length, position + written.length));
      bytes.set(node.bytes);
      bytes.set(written, position);
      node.bytes = written.length === 0 ? node.bytes : bytes;
    }
    return true;
  },

  probe(subject: Subject, model: Model, _settings: Settings, random: Random): void {
    const { nodes } = model as VolumeModel;
    const files = [...nodes].filter(([, node]) => node.type === 'file');
    if (files.length === 0) return;
    const [path, node] = random.pick(files);
    const found = digest((subject as VolumeSubject).volume.fs.readFileSync(path) as Uint8Array);
    if (node.type === 'file' && found !== digest(node.bytes)) throw new Error(`${path} is ${found}`);
  },
};

function isFull(error: unknown): boolean {
  return (error as { code?: string }).code === 'ENOSPC';
}

/** The model of what an open volume holds. */
export function volumeModelOf(subject: Subject): Model {
  const { fs } = (subject as VolumeSubject).volume;
  const nodes = new Map<string, ModelNode>();
  const files = new Map<number, ModelNode>();
  const walk = (folder: string): void => {
    for (const name of fs.readdirSync(folder === '' ? '/' : folder) as string[]) {
      const path = `${folder}/${name}`;
      const stats = fs.lstatSync(path);
      if (stats.isDirectory()) {
        nodes.set(path, { type: 'directory' });
        walk(path);
        continue;
      }
      const inode = Number(stats.ino);
      let node = files.get(inode);
      if (node === undefined) {
        const links = Number(stats.nlink);
        node = stats.isSymbolicLink()
          ? { type: 'link', target: fs.readlinkSync(path) as string, links }
          : { type: 'file', bytes: fs.readFileSync(path) as Uint8Array, links };
        files.set(inode, node);
      }
      nodes.set(path, node);
    }
  };
  walk('');
  return new VolumeModel(nodes);
}

/** Mostly a few bytes, at times many blocks. */
function content(random: Random, settings: Settings): Uint8Array {
  const lengthBytes = random.chance(0.15) ? random.below(40 * settings.blockBytes) : random.below(1200);
  return random.chance(0.5) ? random.bytes(lengthBytes) : new Uint8Array(lengthBytes).fill(random.below(256));
}

export function digest(bytes: Uint8Array): string {
  return `${bytes.length}:${xxh32(bytes, 0, bytes.length).toString(16)}`;
}
