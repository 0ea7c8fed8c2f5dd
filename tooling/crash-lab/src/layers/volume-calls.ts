/**
 * Every call of a volume's `fs` that changes something, each with its effect on the model: by path and by descriptor, synchronous and
 * with promises.
 *
 * A call is drawn, its arguments are chosen, then one of the two faces is asked to do it, and the model follows. What the call was given in
 * memory is overwritten as soon as it has returned: nothing may be written from there later.
 */
import type { Random } from '@outwrite/testkit';
import type { FileHandle, VolumeFs } from '@outwrite/volume';
import type { Settings } from '../layer.ts';
import { attributesOf, type CallFile, type CallModel, type CallNode } from './call-model.ts';

export interface CallContext {
  readonly fs: VolumeFs;
  readonly model: CallModel;
  readonly settings: Settings;
  readonly random: Random;
}

/** A call with its arguments; names are those of `node:fs` without `Sync`. */
export interface PlannedCall {
  readonly name: string;
  /** Named twice in a descriptor call: `ftruncate` of the synchronous face is `truncate` of a handle. */
  readonly handleName?: string;
  /** The file of a descriptor call. */
  readonly path?: string;
  readonly flags?: string;
  readonly args: unknown[];
  /** What the model makes of it; `result` is what the call gave back. */
  apply(result: unknown): void;
  /** A file that may hold a part of a write that ran out of space. */
  readonly partly?: string;
}

type Plan = (context: CallContext) => PlannedCall | null;

const LARGE_BYTES = 64 * 1024;
/** From here on `promises.writeFile` writes from the caller's memory, too. */
const BACKGROUND_BYTES = 256 * 1024;

/** Mostly a few bytes, at times long runs of whole blocks, which go from the caller's memory to the device. */
export function someBytes({ random, settings }: CallContext): Uint8Array {
  const isLarge = settings.maxBlocks * settings.blockBytes > 8 * BACKGROUND_BYTES && random.chance(0.12);
  const lengthBytes = isLarge
    ? random.pick([LARGE_BYTES, BACKGROUND_BYTES]) + random.below(3 * settings.blockBytes)
    : 1 + random.below(random.chance(0.2) ? 30 * settings.blockBytes : 1200);
  // A byte pattern: drawing a quarter of a million bytes one by one would be what takes the time.
  const seed = random.u32();
  const bytes = new Uint8Array(lengthBytes);
  for (let i = 0; i < lengthBytes; i++) bytes[i] = (Math.imul(i, 0x9e3779b1) + seed) >>> 24;
  return bytes;
}

export function newPath({ model, random, settings }: CallContext): string | null {
  const folder = random.pick(model.folders());
  const path = `${folder}/${random.chance(0.3) ? 'a longer name of a file ' : 'f'}${random.below(settings.population)}`;
  return model.nodes.has(path) ? null : path;
}

export function pathOfType<Type extends CallNode['type']>(
  { model, random }: CallContext,
  types: readonly Type[],
): [string, Extract<CallNode, { type: Type }>] | null {
  const found = [...model.nodes].filter(([, node]) => (types as readonly string[]).includes(node.type));
  return found.length === 0 ? null : (random.pick(found) as [string, Extract<CallNode, { type: Type }>]);
}

function file(context: CallContext): [string, CallFile] | null {
  return pathOfType(context, ['file']);
}

function replaced(node: CallFile, position: number, bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array(Math.max(node.bytes.length, position + bytes.length));
  result.set(node.bytes);
  result.set(bytes, position);
  return result;
}

function resized(bytes: Uint8Array, sizeBytes: number): Uint8Array {
  const result = new Uint8Array(sizeBytes);
  result.set(bytes.subarray(0, sizeBytes));
  return result;
}

function refresh({ fs, model }: CallContext, path: string): void {
  const node = model.nodes.get(path);
  if (node !== undefined) node.attributes = attributesOf(fs, path);
}

function addFile(context: CallContext, path: string, bytes: Uint8Array): void {
  context.model.nodes.set(path, { type: 'file', bytes, links: 1, attributes: attributesOf(context.fs, path) });
}

/** A call that sets an attribute of any name, and nothing else. */
function attributeCall(
  name: string,
  types: readonly CallNode['type'][],
  argumentsOf: (random: Random) => unknown[],
): Plan {
  return (context) => {
    const found = pathOfType(context, types);
    if (found === null) return null;
    const [path] = found;
    return { name, args: [path, ...argumentsOf(context.random)], apply: () => refresh(context, path) };
  };
}

/** As `attributeCall`, for a descriptor. */
function descriptorAttributeCall(name: string, handleName: string, argumentsOf: (random: Random) => unknown[]): Plan {
  return (context) => {
    const found = file(context);
    if (found === null) return null;
    const [path] = found;
    return { name, handleName, path, args: argumentsOf(context.random), apply: () => refresh(context, path) };
  };
}

const modes = (random: Random): unknown[] => [random.pick([0o600, 0o644, 0o755, 0o7777])];
const owners = (random: Random): unknown[] => [random.below(5000), random.below(5000)];
const times = (random: Random): unknown[] => [random.below(2 ** 31), random.below(2 ** 31) + 0.25];

/** A write at a place of a descriptor. */
function writeCall(name: string, handleName: string, split: boolean): Plan {
  return (context) => {
    const found = file(context);
    if (found === null) return null;
    const [path, node] = found;
    const { random, settings } = context;
    const bytes = someBytes(context);
    const position = random.chance(0.3)
      ? settings.blockBytes * random.below(4)
      : random.below(node.bytes.length + 3 * settings.blockBytes);
    const expected = replaced(node, position, bytes);
    const cut = random.below(bytes.length + 1);
    return {
      name,
      handleName,
      path,
      args: split ? [[bytes.subarray(0, cut), bytes.subarray(cut)], position] : [bytes, 0, bytes.length, position],
      apply: () => {
        node.bytes = expected;
        bytes.fill(0xee);
        refresh(context, path);
      },
      partly: path,
    };
  };
}

/** A write of whole contents, to a new name or over an old one, by name or by a handle. */
function contentCall(name: 'writeFile' | 'appendFile', byHandle: boolean): Plan {
  return (context) => {
    const { random } = context;
    const found = byHandle || random.chance(0.5) ? file(context) : null;
    const path = found?.[0] ?? newPath(context);
    if (path === null || (byHandle && found === null)) return null;
    const before = found?.[1].bytes ?? new Uint8Array(0);
    const bytes = someBytes(context);
    const expected = name === 'writeFile' ? bytes.slice() : replaced({ ...blank, bytes: before }, before.length, bytes);
    const apply = (): void => {
      if (found === null) addFile(context, path, expected);
      else found[1].bytes = expected;
      bytes.fill(0xee);
      refresh(context, path);
    };
    const flags = name === 'writeFile' ? 'w' : 'a';
    if (byHandle) return { name, handleName: name, path, flags, args: [bytes], apply, partly: path };
    // Flushed at times, which is a commit.
    const args = [path, bytes, { flush: random.chance(0.2) }];
    return { name, args, apply, partly: path };
  };
}

const blank: CallFile = { type: 'file', bytes: new Uint8Array(0), links: 1, attributes: '' };

/** All of them, by a name that a failure can show. */
export const volumeCalls: Readonly<Record<string, Plan>> = {
  writeFile: contentCall('writeFile', false),
  appendFile: contentCall('appendFile', false),
  'handle.writeFile': contentCall('writeFile', true),
  'handle.appendFile': contentCall('appendFile', true),
  write: writeCall('write', 'write', false),
  writev: writeCall('writev', 'writev', true),
  copyFile: (context) => {
    const found = file(context);
    const path = newPath(context);
    if (found === null || path === null) return null;
    const [source, { bytes }] = found;
    return { name: 'copyFile', args: [source, path], apply: () => addFile(context, path, bytes), partly: path };
  },
  truncate: (context) => {
    const found = file(context);
    if (found === null) return null;
    const [path, node] = found;
    const sizeBytes = context.random.below(node.bytes.length * 2 + 2);
    const apply = (): void => {
      node.bytes = resized(node.bytes, sizeBytes);
      refresh(context, path);
    };
    return { name: 'truncate', args: [path, sizeBytes], apply };
  },
  ftruncate: (context) => {
    const found = file(context);
    if (found === null) return null;
    const [path, node] = found;
    const sizeBytes = context.random.below(node.bytes.length + 2);
    const apply = (): void => {
      node.bytes = resized(node.bytes, sizeBytes);
      refresh(context, path);
    };
    return { name: 'ftruncate', handleName: 'truncate', path, args: [sizeBytes], apply };
  },
  punchHole: (context) => {
    const found = file(context);
    if (found === null) return null;
    const [path, node] = found;
    const position = context.random.below(node.bytes.length + 1);
    const lengthBytes = context.random.below(node.bytes.length - position + 1);
    const apply = (): void => {
      node.bytes = node.bytes.slice().fill(0, position, position + lengthBytes);
      refresh(context, path);
    };
    return { name: 'punchHole', handleName: 'punchHole', path, args: [position, lengthBytes], apply };
  },
  mkdir: (context) => {
    const path = newPath(context);
    if (path === null || context.model.folders().length > 6) return null;
    const apply = (): void => {
      context.model.nodes.set(path, { type: 'directory', attributes: attributesOf(context.fs, path) });
    };
    return { name: 'mkdir', args: [path, { recursive: context.random.chance(0.3) }], apply };
  },
  mkdtemp: (context) => {
    const { model, random, fs } = context;
    if (model.folders().length > 6) return null;
    const apply = (path: unknown): void => {
      model.nodes.set(path as string, { type: 'directory', attributes: attributesOf(fs, path as string) });
    };
    return { name: 'mkdtemp', args: [`${random.pick(model.folders())}/temporary `], apply };
  },
  rmdir: (context) => {
    const found = pathOfType(context, ['directory']);
    if (found === null || !context.model.isEmpty(found[0])) return null;
    return { name: 'rmdir', args: [found[0]], apply: () => context.model.remove(found[0]) };
  },
  rm: (context) => {
    const found = pathOfType(context, context.random.chance(0.3) ? ['directory'] : ['file', 'link']);
    if (found === null) return null;
    return { name: 'rm', args: [found[0], { recursive: true }], apply: () => context.model.remove(found[0]) };
  },
  unlink: (context) => {
    const found = pathOfType(context, ['file', 'link']);
    if (found === null) return null;
    // Some lose their name while they are open; whoever has them open may be killed.
    if (found[1].type === 'file' && context.random.chance(0.2)) context.fs.openSync(found[0], 'r+');
    return { name: 'unlink', args: [found[0]], apply: () => context.model.remove(found[0]) };
  },
  rename: (context) => {
    const { model, random } = context;
    const found = pathOfType(context, ['file', 'link']);
    const path = random.chance(0.5) ? newPath(context) : (pathOfType(context, ['file', 'link'])?.[0] ?? null);
    if (found === null || path === null) return null;
    const [from, node] = found;
    const apply = (): void => {
      // Two names of one file: renaming does nothing.
      const there = model.nodes.get(path);
      if (there === node) return;
      if (there !== undefined) model.remove(path);
      model.nodes.delete(from);
      model.nodes.set(path, node);
      refresh(context, path);
    };
    return { name: 'rename', args: [from, path], apply };
  },
  'rename of a directory': (context) => {
    const { model } = context;
    const found = pathOfType(context, ['directory']);
    const path = newPath(context);
    if (found === null || path === null || path.startsWith(`${found[0]}/`)) return null;
    const [from] = found;
    const apply = (): void => {
      for (const [name, node] of [...model.nodes]) {
        if (name !== from && !name.startsWith(`${from}/`)) continue;
        model.nodes.delete(name);
        model.nodes.set(path + name.slice(from.length), node);
      }
    };
    return { name: 'rename', args: [from, path], apply };
  },
  link: (context) => {
    const found = file(context);
    const path = newPath(context);
    if (found === null || path === null) return null;
    const [from, node] = found;
    const apply = (): void => {
      node.links++;
      context.model.nodes.set(path, node);
      refresh(context, path);
    };
    return { name: 'link', args: [from, path], apply };
  },
  symlink: (context) => {
    const path = newPath(context);
    if (path === null) return null;
    const target = 'elsewhere '.repeat(1 + context.random.below(context.random.chance(0.2) ? 60 : 3));
    const apply = (): void => {
      const attributes = attributesOf(context.fs, path);
      context.model.nodes.set(path, { type: 'link', target, links: 1, attributes });
    };
    return { name: 'symlink', args: [target, path], apply };
  },
  chmod: attributeCall('chmod', ['file', 'directory'], modes),
  lchmod: attributeCall('lchmod', ['file', 'directory', 'link'], modes),
  chown: attributeCall('chown', ['file', 'directory'], owners),
  lchown: attributeCall('lchown', ['file', 'directory', 'link'], owners),
  utimes: attributeCall('utimes', ['file', 'directory'], times),
  lutimes: attributeCall('lutimes', ['file', 'directory', 'link'], times),
  fchmod: descriptorAttributeCall('fchmod', 'chmod', modes),
  fchown: descriptorAttributeCall('fchown', 'chown', owners),
  futimes: descriptorAttributeCall('futimes', 'utimes', times),
  setxattr: attributeCall('setxattr', ['file', 'directory'], (random) => [
    `user.${random.below(3)}`,
    new Uint8Array(random.chance(0.2) ? random.below(3000) : random.below(40)).fill(random.below(256)),
  ]),
  removexattr: (context) => {
    const found = pathOfType(context, ['file', 'directory']);
    const names = found === null ? [] : context.fs.listxattrSync(found[0]);
    if (found === null || names.length === 0) return null;
    const [path] = found;
    return {
      name: 'removexattr',
      args: [path, context.random.pick(names)],
      apply: () => refresh(context, path),
    };
  },
  fsync: (context) => {
    const found = file(context);
    return found === null
      ? null
      : { name: 'fsync', handleName: 'sync', path: found[0], args: [], apply: () => undefined };
  },
  fdatasync: (context) => {
    const found = file(context);
    return found === null
      ? null
      : { name: 'fdatasync', handleName: 'datasync', path: found[0], args: [], apply: () => undefined };
  },
};

const names = Object.keys(volumeCalls);

/** Draws a call that can be made now. */
export function planCall(context: CallContext): PlannedCall {
  for (;;) {
    const call = volumeCalls[context.random.pick(names)]!(context);
    if (call !== null) return call;
    const path = newPath(context);
    if (path === null) continue;
    const bytes = new Uint8Array(context.random.below(500)).fill(context.random.below(256));
    const content = bytes.slice();
    return {
      name: 'writeFile',
      args: [path, bytes],
      apply: () => addFile(context, path, content),
      partly: path,
    };
  }
}

type Anything = Record<string, (...args: unknown[]) => unknown>;

export function callSync({ fs, random }: CallContext, call: PlannedCall): unknown {
  const face = fs as unknown as Anything;
  if (call.path === undefined) return withRandom(random, () => face[`${call.name}Sync`]!(...call.args));
  const descriptor = fs.openSync(call.path, call.flags ?? 'r+');
  try {
    return face[`${call.name}Sync`]!(descriptor, ...call.args);
  } finally {
    fs.closeSync(descriptor);
  }
}

export async function callAsync({ fs, random }: CallContext, call: PlannedCall): Promise<unknown> {
  const { promises } = fs;
  if (call.path === undefined) {
    return await withRandom(random, () => (promises as unknown as Anything)[call.name]!(...call.args));
  }
  const handle: FileHandle = await promises.open(call.path, call.flags ?? 'r+');
  try {
    return await (handle as unknown as Anything)[call.handleName!]!(...call.args);
  } finally {
    await handle.close();
  }
}

/** Temporary names are drawn by the platform; here they repeat. */
function withRandom<Result>(random: Random, call: () => Result): Result {
  const { random: platform } = Math;
  Math.random = random.fraction;
  try {
    return call();
  } finally {
    Math.random = platform;
  }
}
