/**
 * The errors of all layers: one base class with a stable code, and one small class for each failure that a program can
 * react to.
 *
 * The code is the contract, the message is for people: it names the thing and says what to do. `ErrorCode` is the one
 * list of codes; `docs/errors.md` has a heading for each and is held against this union by a test. Wrong use of an API
 * (an argument of the wrong type or out of range) is a plain `TypeError` or `RangeError`, a broken invariant an
 * `AssertionError`; neither carries a code.
 *
 * Two copies of this package may be in one process: two versions installed, or one that was bundled. A device of one copy
 * then throws into layers of the other, which tell by `instanceof` what they can go on from. So each class takes the
 * errors of its namesakes in other copies for its own; the end of this file sees to that.
 */

/** Every code that an error of Outwrite can carry. */
export type ErrorCode =
  // Codes that only Outwrite knows.
  | 'ECORRUPT'
  | 'ELATCHED'
  | 'ECLOSED'
  | 'ELOCKED'
  | 'ENOTVOLUME'
  | 'ETRUNCATED'
  | 'EUNSUPPORTED'
  | 'ETOOLARGE'
  // POSIX codes of the device and of the whole volume.
  | 'EIO'
  | 'ENOSPC'
  | 'EROFS'
  // POSIX codes of the file-system face.
  | 'EACCES'
  | 'EBADF'
  | 'EEXIST'
  | 'EFBIG'
  | 'EINVAL'
  | 'EISDIR'
  | 'ELOOP'
  | 'EMLINK'
  | 'ENAMETOOLONG'
  | 'ENODATA'
  | 'ENOENT'
  | 'ENOTDIR'
  | 'ENOTEMPTY'
  | 'EPERM';

/** The base of every error that this project throws on purpose; tell them apart by `code`. */
export class OutwriteError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'OutwriteError';
    this.code = code;
  }
}

/** What a device was asked to do when it failed. */
export type DeviceOperation = 'open' | 'read' | 'write' | 'flush' | 'grow' | 'trim' | 'close';

/** EIO: the device failed. `cause` is the error of the platform, where there is one. */
export class DeviceError extends OutwriteError {
  readonly operation: DeviceOperation;
  /** First byte of the request; 0 where an operation has no position. */
  readonly position: number;
  /** Bytes of the request; 0 where an operation has no length. */
  readonly lengthBytes: number;

  constructor(
    request: { operation: DeviceOperation; position?: number; lengthBytes?: number },
    message: string,
    options: { cause?: unknown } = {},
  ) {
    super('EIO', message, options);
    this.name = 'DeviceError';
    this.operation = request.operation;
    this.position = request.position ?? 0;
    this.lengthBytes = request.lengthBytes ?? 0;
  }
}

/** Where damage was found and how it showed. Numbers are printed in hexadecimal. */
export interface CorruptionDetail {
  block?: number | undefined;
  expected?: number | string | undefined;
  actual?: number | string | undefined;
  cause?: unknown;
}

/**
 * ECORRUPT: bytes were read that nobody wrote there, or a decoder met a value that no encoder writes. `structure` names
 * what was being read ('superblock', 'log block', 'index node', 'leaf', 'free-map page', 'data block', 'overflow
 * extent', 'inode', ...), `block` its block number where it is known.
 */
export class CorruptionError extends OutwriteError {
  readonly structure: string;
  readonly block: number | undefined;
  readonly expected: number | string | undefined;
  readonly actual: number | string | undefined;

  constructor(structure: string, problem: string, detail: CorruptionDetail = {}) {
    super('ECORRUPT', corruptionMessage(structure, problem, detail), 'cause' in detail ? { cause: detail.cause } : {});
    this.name = 'CorruptionError';
    this.structure = structure;
    this.block = detail.block;
    this.expected = detail.expected;
    this.actual = detail.actual;
  }
}

function corruptionMessage(structure: string, problem: string, detail: CorruptionDetail): string {
  let message = `damaged ${structure}`;
  if (detail.block !== undefined) message += ` in block ${detail.block}`;
  message += `: ${problem}`;
  if (detail.expected !== undefined || detail.actual !== undefined) {
    message += ` (expected ${shown(detail.expected)}, found ${shown(detail.actual)})`;
  }
  return message;
}

function shown(value: number | string | undefined): string {
  if (value === undefined) return 'another value';
  return typeof value === 'number' ? `0x${value.toString(16)}` : value;
}

/** ENOSPC: the device cannot grow, or no free block is left for what was asked. Nothing was changed. */
export class NoSpaceError extends OutwriteError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super('ENOSPC', message, options);
    this.name = 'NoSpaceError';
  }
}

const LATCHED_ADVICE = 'no further changes after a failed write or flush; close the volume and open it again';

/**
 * ELATCHED: an earlier write or flush failed, so nothing more is changed or committed. `cause` is that first failure; `advice` is what
 * the message says before it.
 */
export class LatchedError extends OutwriteError {
  constructor(cause: unknown, advice: string = LATCHED_ADVICE) {
    super('ELATCHED', `${advice} (${cause instanceof Error ? cause.message : String(cause)})`, { cause });
    this.name = 'LatchedError';
  }
}

/** ECLOSED: `what` (a device, a volume, a cursor, ...) has been closed. */
export class ClosedError extends OutwriteError {
  constructor(what: string) {
    super('ECLOSED', `${what} is closed; open it again to use it`);
    this.name = 'ClosedError';
  }
}

/** EROFS: `what` was opened read-only and was asked to change. */
export class ReadOnlyError extends OutwriteError {
  constructor(what: string) {
    super('EROFS', `${what} is open read-only and cannot be changed; open it writable`);
    this.name = 'ReadOnlyError';
  }
}

/** Who holds a lock. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  /** When the lock was taken: an ISO 8601 date and time in UTC. */
  readonly since: string;
}

/** ELOCKED: another opener holds `path`. */
export class LockedError extends OutwriteError {
  readonly path: string;
  readonly holder: LockHolder;

  constructor(path: string, holder: LockHolder, advice: string = 'close it there first') {
    super('ELOCKED', `${path} is in use by process ${holder.pid} on ${holder.host} since ${holder.since}; ${advice}`);
    this.name = 'LockedError';
    this.path = path;
    this.holder = holder;
  }
}

/** ENOTVOLUME: neither superblock place holds anything that looks like one. */
export class NotAVolumeError extends OutwriteError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super('ENOTVOLUME', message, options);
    this.name = 'NotAVolumeError';
  }
}

/** ETRUNCATED: the device is shorter than its content says. */
export class TruncatedError extends OutwriteError {
  readonly expectedBytes: number;
  readonly actualBytes: number;

  constructor(what: string, sizes: { expectedBytes: number; actualBytes: number }) {
    super(
      'ETRUNCATED',
      `${what} is cut short: ${sizes.expectedBytes} bytes are needed, ${sizes.actualBytes} are there`,
    );
    this.name = 'TruncatedError';
    this.expectedBytes = sizes.expectedBytes;
    this.actualBytes = sizes.actualBytes;
  }
}

/** EUNSUPPORTED: a format version or a feature flag that this release does not know. */
export class UnsupportedError extends OutwriteError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super('EUNSUPPORTED', message, options);
    this.name = 'UnsupportedError';
  }
}

/** ETOOLARGE: `what` (a key, a value, ...) is longer than the format can hold. */
export class TooLargeError extends OutwriteError {
  readonly what: string;
  readonly limit: number;
  readonly actual: number;

  constructor(what: string, sizes: { limit: number; actual: number }) {
    super('ETOOLARGE', `${what} of ${sizes.actual} bytes is too large; at most ${sizes.limit} bytes are possible here`);
    this.name = 'TooLargeError';
    this.what = what;
    this.limit = sizes.limit;
    this.actual = sizes.actual;
  }
}

/** Stands on the prototype of each class here and holds its name; copies of this package share the symbol. */
const CLASS_NAME: symbol = Symbol.for('@outwrite/blockdev error class');

const classes = {
  OutwriteError,
  DeviceError,
  CorruptionError,
  NoSpaceError,
  LatchedError,
  ClosedError,
  ReadOnlyError,
  LockedError,
  NotAVolumeError,
  TruncatedError,
  UnsupportedError,
  TooLargeError,
};

for (const [name, { prototype }] of Object.entries(classes))
  Object.defineProperty(prototype, CLASS_NAME, { value: name });

/** What `instanceof` calls, for these classes and those that a program derives from them. */
function hasInstance(this: { readonly prototype: object }, value: unknown): boolean {
  if (Function.prototype[Symbol.hasInstance].call(this, value)) return true;
  const name = ownClassName(this.prototype);
  if (name === undefined || typeof value !== 'object') return false;
  for (let link: object | null = value; link !== null; link = Object.getPrototypeOf(link)) {
    if (ownClassName(link) === name) return true;
  }
  return false;
}

function ownClassName(prototype: object): unknown {
  return Object.getOwnPropertyDescriptor(prototype, CLASS_NAME)?.value;
}

Object.defineProperty(OutwriteError, Symbol.hasInstance, { value: hasInstance });
