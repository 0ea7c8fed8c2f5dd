/**
 * The model of a volume under every call of its interface: besides names and bytes, what `stat` and the extended attributes tell.
 *
 * Names, links and bytes are computed here, independently. Modes, owners, times and attributes are read back from the volume after the call
 * that set them: what is in question is not what a call does but whether it is there after a crash as it was before.
 */
import type { VolumeFs } from '@outwrite/volume';
import type { Model } from '../layer.ts';
import { cloneNodes, digest } from './volume-layer.ts';

export type CallNode =
  | { type: 'file'; bytes: Uint8Array; links: number; attributes: string }
  | { type: 'link'; target: string; links: number; attributes: string }
  | { type: 'directory'; attributes: string };

export type CallFile = Extract<CallNode, { type: 'file' }>;

export class CallModel implements Model {
  /** By path; two names of one file share their node. */
  readonly nodes: Map<string, CallNode>;

  constructor(nodes: Map<string, CallNode> = new Map()) {
    this.nodes = nodes;
  }

  text(): string {
    const lines = [...this.nodes].map(([path, node]) => {
      if (node.type === 'directory') return `${path}/ ${node.attributes}`;
      const content = node.type === 'file' ? digest(node.bytes) : node.target;
      return `${path} ${node.links} ${content} ${node.attributes}`;
    });
    return lines.sort().join('\n');
  }

  clone(): CallModel {
    return new CallModel(cloneNodes(this.nodes));
  }

  folders(): string[] {
    return ['', ...[...this.nodes].filter(([, node]) => node.type === 'directory').map(([path]) => path)];
  }

  isEmpty(folder: string): boolean {
    return ![...this.nodes.keys()].some((path) => path.startsWith(`${folder}/`));
  }

  /** Takes a name away, with everything below it. */
  remove(path: string): void {
    for (const [other, node] of [...this.nodes]) {
      if (other !== path && !other.startsWith(`${path}/`)) continue;
      this.nodes.delete(other);
      if (node.type !== 'directory') node.links--;
    }
  }
}

/** What is not content of one name. The times of directories change with what is in them and are left out. */
export function attributesOf(fs: VolumeFs, path: string): string {
  const { mode, uid, gid, mtimeMs, birthtimeMs } = fs.lstatSync(path);
  const isDirectory = fs.lstatSync(path).isDirectory();
  const parts = [mode.toString(8), uid, gid, birthtimeMs, isDirectory ? '' : mtimeMs];
  if (!fs.lstatSync(path).isSymbolicLink()) {
    for (const name of fs.listxattrSync(path).sort()) parts.push(`${name}=${digest(fs.getxattrSync(path, name))}`);
  }
  return parts.join(',');
}

/** The whole content of a volume, as `CallModel.text` shows it. */
export function callContent(fs: VolumeFs): string {
  const lines: string[] = [];
  const walk = (folder: string): void => {
    for (const name of fs.readdirSync(folder === '' ? '/' : folder) as string[]) {
      const path = `${folder}/${name}`;
      const stats = fs.lstatSync(path);
      const attributes = attributesOf(fs, path);
      if (stats.isDirectory()) {
        lines.push(`${path}/ ${attributes}`);
        walk(path);
      } else {
        const content = stats.isSymbolicLink() ? fs.readlinkSync(path) : digest(fs.readFileSync(path) as Uint8Array);
        lines.push(`${path} ${stats.nlink} ${content} ${attributes}`);
      }
    }
  };
  walk('');
  return lines.sort().join('\n');
}

/** The model of what an open volume holds. */
export function callModelOf(fs: VolumeFs): CallModel {
  const nodes = new Map<string, CallNode>();
  const files = new Map<number, CallNode>();
  const walk = (folder: string): void => {
    for (const name of fs.readdirSync(folder === '' ? '/' : folder) as string[]) {
      const path = `${folder}/${name}`;
      const stats = fs.lstatSync(path);
      const attributes = attributesOf(fs, path);
      if (stats.isDirectory()) {
        nodes.set(path, { type: 'directory', attributes });
        walk(path);
        continue;
      }
      const inode = Number(stats.ino);
      let node = files.get(inode);
      if (node === undefined) {
        const links = Number(stats.nlink);
        node = stats.isSymbolicLink()
          ? { type: 'link', target: fs.readlinkSync(path), links, attributes }
          : { type: 'file', bytes: fs.readFileSync(path) as Uint8Array, links, attributes };
        files.set(inode, node);
      }
      nodes.set(path, node);
    }
  };
  walk('');
  return new CallModel(nodes);
}
