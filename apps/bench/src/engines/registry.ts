/**
 * All engines, the subject first.
 */
import type { EngineDescription } from '../engine.ts';
import { loadLevel } from './level.ts';
import { loadLmdb, loadLmdbFast } from './lmdb.ts';
import { loadMemfs } from './memfs.ts';
import { loadNodeFs, loadNodeFsInMemory } from './node-fs.ts';
import { loadOutwriteVolume } from './outwrite-volume.ts';
import { loadRawLimit } from './raw-limit.ts';
import { loadSqlite, loadSqliteInteger } from './sqlite.ts';

export const ENGINES: readonly EngineDescription[] = [
  {
    id: 'outwrite',
    title: 'Outwrite volume',
    role: 'subject',
    volatile: false,
    place: 'disk',
    surfaces: ['append', 'files', 'large-file'],
    load: loadOutwriteVolume,
  },
  {
    id: 'outwrite-tmpfs',
    title: 'Outwrite volume on tmpfs',
    role: 'subject',
    volatile: true,
    place: 'memory',
    surfaces: ['files'],
    load: loadOutwriteVolume,
  },
  {
    id: 'outwrite-store',
    title: 'Outwrite tree',
    role: 'subject',
    volatile: false,
    place: 'disk',
    surfaces: ['append', 'key-value'],
    load: async () => (await import('./outwrite-store.ts')).loadOutwriteStore(),
  },
  {
    id: 'outwrite-store-into',
    title: 'Outwrite tree, getInto (reuses its buffer)',
    role: 'subject',
    volatile: false,
    place: 'disk',
    surfaces: ['key-value'],
    only: /read-random$/,
    load: async () => (await import('./outwrite-store.ts')).loadOutwriteStoreInto(),
  },
  {
    id: 'lmdb',
    title: 'LMDB',
    role: 'peer',
    volatile: false,
    place: 'disk',
    surfaces: ['append', 'key-value', 'files'],
    load: loadLmdb,
  },
  {
    id: 'lmdb-fast',
    title: 'LMDB, getBinaryFast (reuses its buffer)',
    role: 'peer',
    volatile: false,
    place: 'disk',
    surfaces: ['key-value'],
    only: /read-random$/,
    load: loadLmdbFast,
  },
  {
    id: 'sqlite',
    title: 'SQLite',
    role: 'peer',
    volatile: false,
    place: 'disk',
    surfaces: ['append', 'key-value', 'files'],
    load: loadSqlite,
  },
  {
    id: 'sqlite-integer',
    title: 'SQLite, integer keys',
    role: 'peer',
    volatile: false,
    place: 'disk',
    surfaces: ['key-value'],
    only: /kv8\//,
    load: loadSqliteInteger,
  },
  {
    id: 'level',
    title: 'LevelDB',
    role: 'peer',
    volatile: false,
    place: 'disk',
    surfaces: ['append', 'key-value'],
    appendStyles: ['async', 'tasks'],
    load: loadLevel,
  },
  {
    id: 'node-fs',
    title: 'node:fs on disk',
    role: 'peer',
    volatile: false,
    place: 'disk',
    surfaces: ['append', 'files', 'large-file'],
    load: async () => loadNodeFs(),
  },
  {
    id: 'node-fs-tmpfs',
    title: 'node:fs on tmpfs',
    role: 'peer',
    volatile: true,
    place: 'memory',
    surfaces: ['files', 'large-file'],
    load: async () => loadNodeFsInMemory(),
  },
  {
    id: 'memfs',
    title: 'memfs',
    role: 'peer',
    volatile: true,
    place: 'disk',
    surfaces: ['files', 'large-file'],
    load: loadMemfs,
  },
  {
    id: 'raw',
    title: 'Raw limit',
    role: 'limit',
    volatile: false,
    place: 'disk',
    surfaces: ['append', 'key-value', 'large-file'],
    load: async () => loadRawLimit(),
  },
];

export function engineNamed(id: string): EngineDescription {
  const found = ENGINES.find((engine) => engine.id === id);
  if (found === undefined) throw new RangeError(`there is no engine named "${id}"`);
  return found;
}
