/**
 * Comparing all that a volume shows with a model: names and their order, types, modes, links, sizes, contents, targets, attributes.
 */
import { xxh32 } from '@outwrite/blockdev';
import { expect } from 'vitest';
import type { Volume, VolumeFs } from '../src/index.ts';
import { type ModelFs, type ModelNode, sortedNames } from './model-fs.ts';

type AnyVolume = Volume<VolumeFs<Uint8Array>>;

/** Throws at the first difference. Names of one inode must be names of one node, and the other way round. */
export function expectSame(volume: AnyVolume, model: ModelFs): void {
  const inodes = new Map<ModelNode, number>();
  compareNode(volume, '/', model.root, inodes);
  expect(new Set(inodes.values()).size).toBe(inodes.size);
}

function compareNode(volume: AnyVolume, path: string, node: ModelNode, inodes: Map<ModelNode, number>): void {
  const { fs } = volume;
  const stats = fs.lstatSync(path);
  const known = inodes.get(node);
  if (known !== undefined) expect(stats.ino, `inode of ${path}`).toBe(known);
  inodes.set(node, stats.ino);
  expect(stats.mode & 0o7777, `mode of ${path}`).toBe(node.mode);
  expect(stats.nlink, `links of ${path}`).toBe(node.links);
  if (node.type !== 'link') {
    expect(fs.listxattrSync(path), `attributes of ${path}`).toEqual([...node.xattrs.keys()].sort());
    for (const [name, value] of node.xattrs) {
      expect(Buffer.from(fs.getxattrSync(path, name)).toString()).toBe(value);
    }
  }
  if (node.type === 'file') {
    expect(stats.isFile(), `${path} is a file`).toBe(true);
    expect(stats.size, `size of ${path}`).toBe(node.content.length);
    if (!Buffer.from(node.content).equals(fs.readFileSync(path))) throw new Error(`content of ${path} differs`);
  } else if (node.type === 'link') {
    expect(stats.isSymbolicLink(), `${path} is a link`).toBe(true);
    expect(fs.readlinkSync(path)).toBe(node.target);
  } else {
    expect(stats.isDirectory(), `${path} is a directory`).toBe(true);
    const names = sortedNames(node);
    expect(stats.size, `name count of ${path}`).toBe(names.length);
    expect(fs.readdirSync(path), `names in ${path}`).toEqual(names);
    for (const name of names) {
      compareNode(volume, path === '/' ? `/${name}` : `${path}/${name}`, node.children.get(name) as ModelNode, inodes);
    }
  }
}

/** All that a volume shows, as text: two volumes, or a volume and a model, are the same when their texts are. */
export function volumeText(volume: AnyVolume): string {
  const { fs } = volume;
  const lines: string[] = [];
  const walk = (path: string): void => {
    const stats = fs.lstatSync(path);
    const attributes = stats.isSymbolicLink() ? [] : fs.listxattrSync(path);
    const values = attributes.map((name) => `${name}=${Buffer.from(fs.getxattrSync(path, name)).toString()}`);
    const content = stats.isFile()
      ? contentText(fs.readFileSync(path))
      : stats.isSymbolicLink()
        ? fs.readlinkSync(path)
        : '';
    lines.push([path, (stats.mode & 0o7777).toString(8), stats.nlink, content, ...values].join(' '));
    if (!stats.isDirectory()) return;
    for (const name of fs.readdirSync(path)) walk(path === '/' ? `/${name}` : `${path}/${name}`);
  };
  walk('/');
  return lines.join('\n');
}

/** The text of a model. */
export function modelText(model: ModelFs): string {
  const lines: string[] = [];
  const walk = (path: string, node: ModelNode): void => {
    const attributes = node.type === 'link' ? [] : [...node.xattrs].sort(([a], [b]) => (a < b ? -1 : 1));
    const content = node.type === 'file' ? contentText(node.content) : node.target;
    const values = attributes.map(([name, value]) => `${name}=${value}`);
    lines.push([path, node.mode.toString(8), node.links, content, ...values].join(' '));
    for (const name of sortedNames(node))
      walk(path === '/' ? `/${name}` : `${path}/${name}`, node.children.get(name) as ModelNode);
  };
  walk('/', model.root);
  return lines.join('\n');
}

function contentText(bytes: Uint8Array): string {
  return `${bytes.length}:${xxh32(bytes, 0, bytes.length, 0).toString(16)}`;
}
