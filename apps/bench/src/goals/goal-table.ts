/**
 * The speed that Outwrite sets out to reach, as data: every row of the project's table of goals, on one machine and in one run.
 *
 * Kinds of goals:
 * - `ratio`: the subject is at least `atLeast` times as fast as the best of `against`.
 * - `flat`: the slowest of the cases is at least `atLeast` times as fast as the fastest.
 * - `value`: the case's own value (milliseconds) is at most `atMost`.
 * - `fact`: a quotient of two counters of the case is at most `atMost`.
 * - `memory`: peak memory beyond cache budget, bare process and what the workload itself takes (its memory with `without`, an engine that keeps
 *   nothing in the process) is at most `atMostBytes`, in every one of the cases.
 * - `install`: no package of the core has an install script; `volume` and all below it, minified, are at most `atMostBytes`.
 */
const MIB = 1024 * 1024;

interface GoalBase {
  /** The row of the table that it belongs to. */
  readonly row: string;
  /** What it demands, in words. */
  readonly demand: string;
}

export type Goal = GoalBase &
  (
    | {
        readonly kind: 'ratio';
        readonly caseName: string;
        readonly subject: string;
        readonly against: readonly string[];
        readonly atLeast: number;
      }
    | {
        readonly kind: 'flat';
        readonly caseNames: readonly string[];
        readonly subject: string;
        readonly atLeast: number;
      }
    | { readonly kind: 'value'; readonly caseName: string; readonly subject: string; readonly atMost: number }
    | {
        readonly kind: 'fact';
        readonly caseName: string;
        readonly subject: string;
        readonly dividend: readonly string[];
        readonly divisor: string;
        readonly atMost: number;
      }
    | {
        readonly kind: 'memory';
        readonly caseNames: readonly string[];
        readonly subject: string;
        readonly without: string;
        readonly atMostBytes: number;
      }
    | { readonly kind: 'install'; readonly check: 'scripts' | 'size'; readonly atMostBytes: number }
  );

const FILES = 'outwrite';
/** The same volume in a file on tmpfs, with all its commits: what peers that promise no durability are compared with. */
const FILES_IN_MEMORY = 'outwrite-tmpfs';
const STORE = 'outwrite-store';
const SQLITE = ['sqlite', 'sqlite-integer'] as const;
const LMDB_AND_SQLITE = ['lmdb', ...SQLITE] as const;

function ratio(
  row: string,
  caseName: string,
  subject: string,
  against: string | readonly string[],
  atLeast: number,
): Goal {
  const list = typeof against === 'string' ? [against] : against;
  const who = list.length > 2 ? `the best of ${list.join(', ')}` : list.join(' and ');
  return { kind: 'ratio', row, demand: `${atLeast} times ${who}`, caseName, subject, against: list, atLeast };
}

const APPEND_ONE = 'durable 4 KiB append, 1 task';
const APPEND_HUNDRED = 'durable 4 KiB append, 100 tasks';
const READ_RANDOM = 'key-value read-random, warm, value copied out';
const READ_SEQ = 'read-seq';
const CHANGES = 'fill-random; overwrite, commit every 100 and 10,000';
const OVERWRITE_ONE = 'overwrite, commit every 1';
const SMALL_FILES = 'small files: create, stat, read; unlink';
const LARGE_FILE = '1 GiB file: write and commit; read cold; read warm';
const LARGE_OVERWRITE = 'random 4 KiB overwrite, one commit at the end';
const COMMIT_COST = 'commit cost';

function appendGoals(subject: string): Goal[] {
  return [
    ratio(APPEND_ONE, 'append-1-sync', subject, 'raw', 0.9),
    ratio(APPEND_ONE, 'append-1-async', subject, 'raw', 0.9),
    ratio(APPEND_ONE, 'append-1-sync', subject, 'sqlite', 1.8),
    ratio(APPEND_ONE, 'append-1-sync', subject, 'lmdb', 3),
    ratio(APPEND_ONE, 'append-1-sync', subject, 'node-fs', 1.6),
    ratio(APPEND_HUNDRED, 'append-100', subject, 'raw', 0.6),
    ...['node-fs', 'sqlite', 'lmdb', 'level'].map((peer) => ratio(APPEND_HUNDRED, 'append-100', subject, peer, 4)),
  ];
}

function keyValueGoals(shape: 'kv8' | 'kv40', reads: { get: number; fast: number; sqlite: number }): Goal[] {
  return [
    ratio(READ_RANDOM, `${shape}/read-random`, STORE, 'lmdb', reads.get),
    ratio(READ_RANDOM, `${shape}/read-random`, STORE, 'lmdb-fast', reads.fast),
    ratio(READ_RANDOM, `${shape}/read-random`, STORE, SQLITE, reads.sqlite),
    ratio(READ_SEQ, `${shape}/read-seq-cursor`, STORE, 'lmdb', 20),
    ratio(READ_SEQ, `${shape}/read-seq`, STORE, 'lmdb', 3),
    ratio(CHANGES, `${shape}/fill-random`, STORE, LMDB_AND_SQLITE, 2.5),
    ratio(CHANGES, `${shape}/overwrite-100`, STORE, LMDB_AND_SQLITE, 2.5),
    ratio(CHANGES, `${shape}/overwrite-10000`, STORE, LMDB_AND_SQLITE, 2.5),
    ratio(OVERWRITE_ONE, `${shape}/overwrite-1`, STORE, 'raw', 0.85),
    {
      kind: 'fact',
      row: OVERWRITE_ONE,
      demand: '2 blocks written a commit outside checkpoints',
      caseName: `${shape}/overwrite-1`,
      subject: STORE,
      dividend: ['commitBlocks'],
      divisor: 'commits',
      atMost: 2,
    },
    {
      kind: 'fact',
      row: OVERWRITE_ONE,
      // Zeroing new space ahead of its use is apart: it ends when the file stops growing.
      demand: '2.5 blocks written a commit, checkpoints included',
      caseName: `${shape}/overwrite-1`,
      subject: STORE,
      dividend: ['commitBlocks', 'checkpointBlocks'],
      divisor: 'commits',
      atMost: 2.5,
    },
  ];
}

function smallFileGoals(name: string, tmpfs: number): Goal[] {
  const caseName = `small-files/${name}`;
  return [
    ratio(SMALL_FILES, caseName, FILES_IN_MEMORY, 'node-fs-tmpfs', tmpfs),
    ratio(SMALL_FILES, caseName, FILES_IN_MEMORY, 'memfs', 2),
    ratio(SMALL_FILES, caseName, FILES, 'lmdb', 1.5),
    ratio(SMALL_FILES, caseName, FILES, 'sqlite', 1.5),
  ];
}

export const GOALS: readonly Goal[] = [
  ...appendGoals(FILES),
  ...appendGoals(STORE),
  ...keyValueGoals('kv8', { get: 3, fast: 1.6, sqlite: 6 }),
  ...keyValueGoals('kv40', { get: 2, fast: 1.3, sqlite: 4 }),
  ...smallFileGoals('create', 4),
  ...smallFileGoals('stat', 4),
  ...smallFileGoals('read', 4),
  ...smallFileGoals('unlink', 2),
  ratio(LARGE_FILE, 'large-file/write', FILES, 'node-fs', 0.85),
  ratio(LARGE_FILE, 'large-file/read-cold', FILES, 'node-fs', 0.9),
  ratio(LARGE_FILE, 'large-file/read-warm', FILES, 'node-fs', 1),
  ratio(LARGE_OVERWRITE, 'large-file/overwrite-random', FILES, 'node-fs', 1),
  {
    kind: 'value',
    row: 'recovery',
    demand: 'under 50 ms for a log at its bound',
    caseName: 'recovery/at-bound',
    subject: STORE,
    atMost: 50,
  },
  {
    kind: 'flat',
    row: COMMIT_COST,
    demand: 'flat within 20 % from 1 GiB to 1 TiB',
    caseNames: ['commit-cost/volume-small', 'commit-cost/volume-large'],
    subject: STORE,
    atLeast: 0.8,
  },
  {
    kind: 'flat',
    row: COMMIT_COST,
    demand: 'flat within 20 % from empty to 95 % full',
    caseNames: ['commit-cost/empty', 'commit-cost/full-50', 'commit-cost/full-95'],
    subject: STORE,
    atLeast: 0.8,
  },
  {
    kind: 'memory',
    row: 'memory',
    demand: 'cache budget plus 60 MiB',
    caseNames: ['large-file/write', 'small-files/create', 'tree/in'],
    subject: FILES,
    without: 'node-fs',
    atMostBytes: 60 * MIB,
  },
  { kind: 'install', row: 'install', demand: 'no install script in a core package', check: 'scripts', atMostBytes: 0 },
  {
    kind: 'install',
    row: 'install',
    demand: 'volume and below under 100 KiB minified',
    check: 'size',
    atMostBytes: 100 * 1024,
  },
];
