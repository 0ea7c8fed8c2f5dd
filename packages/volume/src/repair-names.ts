/**
 * Names under repair: every name leads to an inode of its type, every directory has one name and hangs below the root, and what has no name
 * gets one in `/lost+found`.
 */
import { ENTRY_DIRECTORY, entryTypeOf } from './inode-mode.ts';
import { KIND, ROOT_INODE, VOLUME_INODE } from './key-format.ts';
import { MADE_DIRECTORY_MODE } from './repair-inodes.ts';
import type { KnownName, RepairState } from './repair-state.ts';

const LOST_AND_FOUND = 'lost+found';

/** After `settleInodes`: mends the names, the list of orphans, and makes `/lost+found` if something has no name. */
export function mendNames(state: RepairState): void {
  const parents = new Map<number, KnownName>();
  const named = new Set<number>([ROOT_INODE]);
  state.names = state.names.filter((name) => isSound(state, name, named, parents));
  for (const number of loops(parents)) {
    const name = parents.get(number)!;
    const why = `the name "${name.text}": directory ${number} stands in a loop`;
    state.drop(name.key, 'name-dropped', why, name.directory);
    state.names.splice(state.names.indexOf(name), 1);
    named.delete(number);
  }
  mendOrphans(state, named);
  const lost = [...state.inodes.keys()].filter((number) => !named.has(number) && !state.orphans.has(number));
  if (lost.length > 0)
    giveNames(
      state,
      lost.sort((a, b) => a - b),
    );
}

function isSound(state: RepairState, name: KnownName, named: Set<number>, parents: Map<number, KnownName>): boolean {
  const target = state.recordOf(name.inode);
  const drop = (why: string): boolean => {
    const message = `the name "${name.text}" of inode ${name.inode}: ${why}`;
    state.drop(name.key, 'name-dropped', message, name.directory);
    return false;
  };
  if (target === null) return drop('it leads to an inode that does not exist');
  if (target.number === ROOT_INODE) return drop('it leads to the root');
  if (state.recordOf(name.directory)?.isDirectory !== true) return drop('it is in no directory');
  if (target.isDirectory && named.has(target.number)) return drop('the directory has a name already');
  named.add(target.number);
  if (target.isDirectory) parents.set(target.number, name);
  const type = entryTypeOf(target.mode);
  if (type !== name.type) {
    name.type = type;
    state.putName(name);
    state.tell('name-type', `the name "${name.text}" says what kind of inode ${name.inode} is`, name.inode);
  }
  return true;
}

/** One directory of each loop. */
function loops(parents: ReadonlyMap<number, KnownName>): number[] {
  const found: number[] = [];
  const sound = new Set([ROOT_INODE]);
  for (const start of parents.keys()) {
    const path = new Set<number>();
    let at: number | undefined = start;
    while (at !== undefined && !sound.has(at) && !path.has(at)) {
      path.add(at);
      at = parents.get(at)?.directory;
    }
    if (at !== undefined && path.has(at)) found.push(at);
    for (const passed of path) sound.add(passed);
  }
  return found;
}

function mendOrphans(state: RepairState, named: ReadonlySet<number>): void {
  for (const number of state.orphans) {
    const exists = state.inodes.has(number);
    if (exists && !named.has(number)) continue;
    state.orphans.delete(number);
    const why = exists ? 'a name leads to it' : 'it does not exist';
    const key = state.keys.numbered(VOLUME_INODE, KIND.orphan, number).slice();
    state.drop(key, 'orphan-list', `inode ${number} leaves the list of orphans: ${why}`, number);
  }
}

/** Gives a name in `/lost+found` to each of `numbers`. */
function giveNames(state: RepairState, numbers: readonly number[]): void {
  const { directory, path } = lostAndFound(state);
  const taken = new Set(state.names.filter((name) => name.directory === directory).map(({ text }) => text));
  for (const inode of numbers) {
    if (inode === directory) continue;
    let text = `#${inode}`;
    for (let i = 2; taken.has(text); i++) text = `#${inode}.${i}`;
    taken.add(text);
    state.addName(directory, text, inode);
    state.tell('lost-and-found', `inode ${inode}, which no name leads to, becomes ${path}/${text}`, inode);
  }
}

/** `/lost+found`, which is made if it is not there; another name if that is something else. */
function lostAndFound(state: RepairState): { directory: number; path: string } {
  const inRoot = new Map(
    state.names.filter(({ directory }) => directory === ROOT_INODE).map((name) => [name.text, name]),
  );
  for (let i = 1; ; i++) {
    const text = i === 1 ? LOST_AND_FOUND : `${LOST_AND_FOUND}.${i}`;
    const name = inRoot.get(text);
    if (name?.type === ENTRY_DIRECTORY) return { directory: name.inode, path: `/${text}` };
    if (name !== undefined) continue;
    const number = state.unusedNumber();
    state.inode(number).record = state.newRecord(number, MADE_DIRECTORY_MODE);
    state.addName(ROOT_INODE, text, number);
    state.tell('record-made', `the directory /${text} is made`, number);
    return { directory: number, path: `/${text}` };
  }
}
