/**
 * Errors of the `fs` face: shaped like those of `node:fs`, and `OutwriteError`s all the same.
 *
 * An `Operation` is what a caller asked for: the system call that Node would name, and the paths as they were given. It goes down with
 * the call, so that whoever finds the fault throws the final error at once. Messages read `ENOENT: no such file or directory, open '/x'`.
 */
import { type ErrorCode, NoSpaceError, OutwriteError } from '@outwrite/blockdev';

/** Error number (as on Linux, negative like Node's `errno`) and wording of each POSIX code of this face. */
const POSIX = {
  EPERM: [-1, 'operation not permitted'],
  ENOENT: [-2, 'no such file or directory'],
  EIO: [-5, 'i/o error'],
  EBADF: [-9, 'bad file descriptor'],
  EACCES: [-13, 'permission denied'],
  EEXIST: [-17, 'file already exists'],
  ENOTDIR: [-20, 'not a directory'],
  EISDIR: [-21, 'illegal operation on a directory'],
  EINVAL: [-22, 'invalid argument'],
  EFBIG: [-27, 'file too large'],
  ENOSPC: [-28, 'no space left on device'],
  EROFS: [-30, 'read-only file system'],
  EMLINK: [-31, 'too many links'],
  ENAMETOOLONG: [-36, 'name too long'],
  ENOTEMPTY: [-39, 'directory not empty'],
  ELOOP: [-40, 'too many symbolic links encountered'],
  ENODATA: [-61, 'no data available'],
} as const satisfies Partial<Record<ErrorCode, readonly [number, string]>>;

export type PosixCode = keyof typeof POSIX;

/** A failed operation on names, files or descriptors. Fields as on the errors of `node:fs`. */
export class FsError extends OutwriteError {
  /** As Node's on Linux: the negative error number. */
  readonly errno: number;
  readonly syscall: string;
  readonly path?: string;
  readonly dest?: string;

  constructor(code: PosixCode, operation: Operation, cause?: unknown) {
    super(code, operation.describe(`${code}: ${POSIX[code][1]}`), cause === undefined ? {} : { cause });
    this.name = 'FsError';
    this.errno = POSIX[code][0];
    this.syscall = operation.syscall;
    if (operation.path !== undefined) this.path = operation.path;
    if (operation.dest !== undefined) this.dest = operation.dest;
  }
}

/** One call of the `fs` face, for the errors that it may end in. */
export class Operation {
  readonly syscall: string;
  readonly path: string | undefined;
  readonly dest: string | undefined;

  constructor(syscall: string, path?: string, dest?: string) {
    this.syscall = syscall;
    this.path = path;
    this.dest = dest;
  }

  fail(code: PosixCode, cause?: unknown): never {
    throw new FsError(code, this, cause);
  }

  describe(what: string): string {
    let text = `${what}, ${this.syscall}`;
    if (this.path !== undefined) text += ` '${this.path}'`;
    if (this.dest !== undefined) text += ` -> '${this.dest}'`;
    return text;
  }
}

/** Rethrows `error` from below: want of space in the shape of this face, all else as it is. */
export function rethrow(error: unknown, operation: Operation): never {
  if (error instanceof NoSpaceError) operation.fail('ENOSPC', error);
  throw error;
}

/** A `TypeError` with the code that Node gives to arguments of the wrong type. */
export function invalidType(argument: string, expected: string, actual: unknown): TypeError {
  const shown = actual === null ? 'null' : typeof actual;
  return Object.assign(new TypeError(`The "${argument}" argument must be ${expected}; it is of type ${shown}`), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
}

/** A `RangeError` with the code that Node gives to arguments out of range. */
export function outOfRange(argument: string, expected: string, actual: unknown): RangeError {
  return Object.assign(
    new RangeError(`The value of "${argument}" is out of range: it must be ${expected}, not ${String(actual)}`),
    { code: 'ERR_OUT_OF_RANGE' },
  );
}

/** A `TypeError` with the code that Node gives to arguments of the right type that mean nothing. */
export function invalidValue(argument: string, problem: string): TypeError {
  return Object.assign(new TypeError(`The argument "${argument}" ${problem}`), { code: 'ERR_INVALID_ARG_VALUE' });
}

/** A `RangeError` with the code that Node gives to files that are read as a whole and cannot be. */
export function fileTooLarge(sizeBytes: number): RangeError {
  return Object.assign(new RangeError(`File size (${sizeBytes}) is greater than an array can be; read it in parts`), {
    code: 'ERR_FS_FILE_TOO_LARGE',
  });
}
