/**
 * A naive file system in memory, to compare a volume with: nothing cached, nothing clever, paths resolved part by part from a list.
 *
 * Its operations throw `ModelError`s with the code that POSIX (as on Linux) asks for.
 */
export class ModelError extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

export interface ModelNode {
  type: 'file' | 'directory' | 'link';
  mode: number;
  links: number;
  content: Uint8Array;
  target: string;
  children: Map<string, ModelNode>;
  xattrs: Map<string, string>;
}

interface Place {
  /** Directories from the root down to the one that holds the name. */
  stack: ModelNode[];
  name: string;
  node: ModelNode | null;
  trailing: boolean;
  dots: boolean;
}

function fail(code: string): never {
  throw new ModelError(code);
}

function newNode(type: ModelNode['type'], mode: number): ModelNode {
  return {
    type,
    mode,
    links: type === 'directory' ? 2 : 1,
    content: new Uint8Array(0),
    target: '',
    children: new Map(),
    xattrs: new Map(),
  };
}

export class ModelFs {
  root: ModelNode = newNode('directory', 0o755);
  readonly #nameLimit: number;

  constructor(nameLimit: number) {
    this.#nameLimit = nameLimit;
  }

  clone(): ModelFs {
    const copies = new Map<ModelNode, ModelNode>();
    const copyOf = (node: ModelNode): ModelNode => {
      const known = copies.get(node);
      if (known !== undefined) return known;
      const copy = { ...node, content: node.content.slice(), xattrs: new Map(node.xattrs) };
      copies.set(node, copy);
      copy.children = new Map([...node.children].map(([name, child]) => [name, copyOf(child)]));
      return copy;
    };
    const other = new ModelFs(this.#nameLimit);
    other.root = copyOf(this.root);
    return other;
  }

  #locate(path: string, follow: boolean, nameOnly = false): Place {
    if (path === '') fail('ENOENT');
    let todo = path.split('/').filter((part) => part !== '');
    let trailing = path.endsWith('/');
    let stack = [this.root];
    let links = 0;
    let dots = false;
    for (;;) {
      const part = todo.shift();
      const directory = stack[stack.length - 1];
      if (part === undefined) return { stack, name: '', node: directory, trailing, dots };
      const last = todo.length === 0;
      if (part === '.' || part === '..') {
        if (last) dots = true;
        if (part === '..' && stack.length > 1) stack.pop();
        continue;
      }
      if (Buffer.byteLength(part) > this.#nameLimit) fail('ENAMETOOLONG');
      const child = directory.children.get(part);
      if (child === undefined) {
        if (!last) fail('ENOENT');
        return { stack, name: part, node: null, trailing, dots };
      }
      if (child.type === 'link' && (!last || follow || (trailing && !nameOnly))) {
        if (++links > 40) fail('ELOOP');
        if (child.target.startsWith('/')) stack = [this.root];
        if (last && child.target.endsWith('/')) trailing = true;
        todo = [...child.target.split('/').filter((piece) => piece !== ''), ...todo];
        continue;
      }
      if (last) {
        if (trailing && !nameOnly && child.type !== 'directory') fail('ENOTDIR');
        return { stack, name: part, node: child, trailing, dots };
      }
      if (child.type !== 'directory') fail('ENOTDIR');
      stack = [...stack, child];
    }
  }

  find(path: string, follow = true): ModelNode {
    return this.#locate(path, follow).node ?? fail('ENOENT');
  }

  #file(path: string): ModelNode {
    const node = this.find(path);
    return node.type === 'directory' ? fail('EISDIR') : node;
  }

  mkdir(path: string): void {
    const { stack, name, node } = this.#locate(path, false, true);
    if (node !== null) fail('EEXIST');
    const parent = stack[stack.length - 1];
    parent.children.set(name, newNode('directory', 0o755));
    parent.links++;
  }

  rmdir(path: string): void {
    const { stack, name, node, dots } = this.#locate(path, false, true);
    if (name === '') fail(dots ? 'EINVAL' : 'EPERM');
    if (node === null) fail('ENOENT');
    if (node.type !== 'directory') fail('ENOTDIR');
    if (node.children.size !== 0) fail('ENOTEMPTY');
    const parent = stack[stack.length - 1];
    parent.children.delete(name);
    parent.links--;
    node.links = 0;
  }

  writeFile(path: string, data: Uint8Array): ModelNode {
    const { stack, name, node, trailing } = this.#locate(path, true);
    if (node === null) {
      if (trailing) fail('EISDIR');
      const file = newNode('file', 0o644);
      file.content = data;
      stack[stack.length - 1].children.set(name, file);
      return file;
    }
    if (node.type === 'directory') fail('EISDIR');
    node.content = data;
    return node;
  }

  writeAt(path: string, position: number, data: Uint8Array): void {
    const node = this.#file(path);
    if (data.length === 0) return;
    const content = new Uint8Array(Math.max(node.content.length, position + data.length));
    content.set(node.content);
    content.set(data, position);
    node.content = content;
  }

  truncate(path: string, size: number): void {
    const node = this.#file(path);
    const content = new Uint8Array(size);
    content.set(node.content.subarray(0, size));
    node.content = content;
  }

  punch(path: string, position: number, length: number): void {
    this.#file(path).content.fill(0, position, position + length);
  }

  read(path: string): Uint8Array {
    return this.#file(path).content;
  }

  unlink(path: string): ModelNode {
    const { stack, name, node, trailing } = this.#locate(path, false, true);
    if (name === '') fail('EISDIR');
    if (node === null) fail('ENOENT');
    if (node.type === 'directory') fail('EISDIR');
    if (trailing) fail('ENOTDIR');
    stack[stack.length - 1].children.delete(name);
    node.links--;
    return node;
  }

  link(oldPath: string, newPath: string): void {
    const existing = this.find(oldPath, false);
    if (existing.type === 'directory') fail('EPERM');
    const { stack, name, node, trailing } = this.#locate(newPath, false, true);
    if (node !== null) fail('EEXIST');
    if (trailing) fail('ENOENT');
    stack[stack.length - 1].children.set(name, existing);
    existing.links++;
  }

  symlink(target: string, path: string): void {
    const { stack, name, node, trailing } = this.#locate(path, false, true);
    if (node !== null) fail('EEXIST');
    if (trailing) fail('ENOENT');
    const link = newNode('link', 0o777);
    link.target = target;
    stack[stack.length - 1].children.set(name, link);
  }

  readlink(path: string): string {
    const node = this.find(path, false);
    return node.type === 'link' ? node.target : fail('EINVAL');
  }

  rename(oldPath: string, newPath: string): void {
    const from = this.#locate(oldPath, false, true);
    if (from.name === '') fail(from.dots ? 'EINVAL' : 'EPERM');
    const moved = from.node ?? fail('ENOENT');
    if (from.trailing && moved.type !== 'directory') fail('ENOTDIR');
    const to = this.#locate(newPath, false, true);
    if (to.name === '') fail(to.dots ? 'EINVAL' : 'EPERM');
    if (to.trailing && moved.type !== 'directory') fail('ENOTDIR');
    if (moved.type === 'directory' && to.stack.includes(moved)) fail('EINVAL');
    const replaced = to.node;
    if (replaced === moved) return;
    if (replaced !== null) {
      if (moved.type === 'directory' && replaced.type !== 'directory') fail('ENOTDIR');
      if (moved.type !== 'directory' && replaced.type === 'directory') fail('EISDIR');
      if (replaced.type === 'directory' && replaced.children.size !== 0) fail('ENOTEMPTY');
    }
    const oldParent = from.stack[from.stack.length - 1];
    const newParent = to.stack[to.stack.length - 1];
    oldParent.children.delete(from.name);
    newParent.children.set(to.name, moved);
    if (moved.type === 'directory') {
      oldParent.links--;
      newParent.links++;
    }
    if (replaced === null) return;
    if (replaced.type === 'directory') newParent.links--;
    replaced.links = replaced.type === 'directory' ? 0 : replaced.links - 1;
  }

  chmod(path: string, mode: number): void {
    this.find(path).mode = mode;
  }

  setxattr(path: string, name: string, value: string): void {
    this.find(path).xattrs.set(name, value);
  }

  removexattr(path: string, name: string): void {
    if (!this.find(path).xattrs.delete(name)) fail('ENODATA');
  }
}

/** Names in the order of their bytes. */
export function sortedNames(node: ModelNode): string[] {
  return [...node.children.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
