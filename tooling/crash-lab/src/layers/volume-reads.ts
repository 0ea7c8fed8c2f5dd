/**
 * Every call of a volume's `fs` that only looks, held against the model: synchronous and with promises.
 */
import { type CallContext, pathOfType } from './volume-calls.ts';

function demand(condition: boolean, what: string): void {
  if (!condition) throw new Error(`a look at the volume finds something else: ${what}`);
}

function same(a: Uint8Array, b: Uint8Array, what: string): void {
  demand(Buffer.compare(a, b) === 0, what);
}

/** Looks at one file, one link and one folder in every way there is. */
export function lookSync(context: CallContext): void {
  const { fs, model, random } = context;
  const folder = random.pick(model.folders());
  const here = folder === '' ? '/' : folder;
  const expected = [...model.nodes.keys()]
    .filter((path) => path.startsWith(`${folder}/`) && !path.slice(folder.length + 1).includes('/'))
    .map((path) => path.slice(folder.length + 1))
    .sort();
  demand((fs.readdirSync(here) as string[]).join('|') === expected.join('|'), `names of ${here}`);
  const directory = fs.opendirSync(here);
  const listed: string[] = [];
  for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) listed.push(entry.name);
  directory.closeSync();
  demand(listed.sort().join('|') === expected.join('|'), `entries of ${here}`);
  demand(fs.realpathSync(here) === here, `the path of ${here}`);
  demand(fs.statSync(here).isDirectory(), `${here} is a directory`);
  demand(fs.statfsSync('/').bfree >= 0, 'space is counted');
  fs.accessSync(here);
  const link = pathOfType(context, ['link']);
  if (link !== null) demand(fs.readlinkSync(link[0]) === link[1].target, `the target of ${link[0]}`);
  const found = pathOfType(context, ['file']);
  if (found === null) return;
  const [path, { bytes }] = found;
  demand(fs.existsSync(path), `${path} exists`);
  same(fs.readFileSync(path) as Uint8Array, bytes, `content of ${path}`);
  for (const name of fs.listxattrSync(path)) fs.getxattrSync(path, name);
  const descriptor = fs.openSync(path, 'r');
  try {
    demand(fs.fstatSync(descriptor).size === bytes.length, `size of ${path}`);
    const position = random.below(bytes.length + 1);
    const target = new Uint8Array(bytes.length - position);
    demand(fs.readSync(descriptor, target, 0, target.length, position) === target.length, `a part of ${path}`);
    same(target, bytes.subarray(position), `a part of ${path}`);
    const cut = random.below(target.length + 1);
    target.fill(0);
    fs.readvSync(descriptor, [target.subarray(0, cut), target.subarray(cut)], position);
    same(target, bytes.subarray(position), `a part of ${path} in two pieces`);
    if (bytes.length > 0) {
      const hole = fs.seekHoleSync(descriptor, 0);
      demand(hole <= bytes.length, `a hole of ${path}`);
      // What is no data reads as zeros.
      const data = dataOr(bytes.length, () => fs.seekDataSync(descriptor, 0));
      demand(
        bytes.subarray(0, data).every((byte) => byte === 0),
        `zeros before the first data of ${path}`,
      );
    }
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Where data begins; `end` where there is none. */
function dataOr(end: number, seek: () => number): number {
  try {
    return seek();
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENXIO') throw error;
    return end;
  }
}

export async function look(context: CallContext): Promise<void> {
  const { model, random } = context;
  const { promises } = context.fs;
  const folder = random.pick(model.folders());
  const here = folder === '' ? '/' : folder;
  const names = await promises.readdir(here);
  const listed: string[] = [];
  if (random.chance(0.5)) {
    for await (const entry of await promises.opendir(here)) listed.push(entry.name);
  } else {
    const directory = await promises.opendir(here);
    for (let entry = await directory.read(); entry !== null; entry = await directory.read()) listed.push(entry.name);
    await directory.close();
  }
  demand(listed.sort().join('|') === [...names].sort().join('|'), `entries of ${here}`);
  demand((await promises.realpath(here)) === here, `the path of ${here}`);
  demand((await promises.statfs('/')).bfree >= 0, 'space is counted');
  await promises.access(here);
  const link = pathOfType(context, ['link']);
  if (link !== null) {
    demand((await promises.readlink(link[0])) === link[1].target, `the target of ${link[0]}`);
    demand((await promises.lstat(link[0])).isSymbolicLink(), `${link[0]} is a link`);
  }
  const found = pathOfType(context, ['file']);
  if (found === null) return;
  const [path, { bytes }] = found;
  demand((await promises.stat(path)).size === bytes.length, `size of ${path}`);
  same(await promises.readFile(path), bytes, `content of ${path}`);
  for (const name of await promises.listxattr(path)) await promises.getxattr(path, name);
  const handle = await promises.open(path, 'r');
  try {
    demand((await handle.stat()).size === bytes.length, `size of ${path}`);
    const target = new Uint8Array(bytes.length);
    await handle.read(target, 0, target.length, 0);
    same(target, bytes, `content of ${path} by a handle`);
    const cut = random.below(target.length + 1);
    await handle.readv([target.subarray(0, cut), target.subarray(cut)], 0);
    same(target, bytes, `content of ${path} in two pieces`);
    same(await handle.readFile(), bytes, `content of ${path} as a whole`);
  } finally {
    await handle.close();
  }
}
