/** Two copies of the package in one process (two versions installed, or one bundled): each knows the errors of the other. */
import { describe, expect, it, vi } from 'vitest';
import * as here from '../src/index.ts';

async function otherCopy(): Promise<typeof here> {
  vi.resetModules();
  const copy = await import('../src/index.ts');
  expect(copy.OutwriteError).not.toBe(here.OutwriteError);
  return copy;
}

/** One error of each class that `copy` exports. */
function oneOfEach(copy: typeof here): Error[] {
  return [
    new copy.DeviceError({ operation: 'read' }, 'm'),
    new copy.CorruptionError('leaf', 'm'),
    new copy.NoSpaceError('m'),
    new copy.LatchedError('m'),
    new copy.ClosedError('m'),
    new copy.ReadOnlyError('m'),
    new copy.LockedError('m', { pid: 1, host: 'm', since: 'm' }),
    new copy.NotAVolumeError('m'),
    new copy.TruncatedError('m', { expectedBytes: 2, actualBytes: 1 }),
    new copy.UnsupportedError('m'),
    new copy.TooLargeError('m', { limit: 1, actual: 2 }),
  ];
}

describe('errors of another copy', () => {
  it('are instances of their class, of its base, and of no other', async () => {
    const classes = oneOfEach(here).map((error) => error.constructor);
    for (const error of oneOfEach(await otherCopy())) {
      expect(error, error.name).toBeInstanceOf(here.OutwriteError);
      const fitting = classes.filter((kind) => error instanceof (kind as new () => Error));
      expect(fitting.map((kind) => kind.name)).toEqual([error.name]);
    }
  });

  it('are so where a program has made a class of its own from them', async () => {
    const copy = await otherCopy();
    class BadSectorError extends copy.DeviceError {}
    class OwnError extends here.DeviceError {}
    const error = new BadSectorError({ operation: 'read' }, 'm');
    expect(error).toBeInstanceOf(here.DeviceError);
    expect(error).toBeInstanceOf(here.OutwriteError);
    expect(error).not.toBeInstanceOf(OwnError);
    expect(new copy.DeviceError({ operation: 'read' }, 'm')).not.toBeInstanceOf(OwnError);
    expect(new OwnError({ operation: 'read' }, 'm')).toBeInstanceOf(OwnError);
  });

  it('do not make errors of what is none', () => {
    const look = { name: 'DeviceError', code: 'EIO', message: 'm' };
    for (const value of [null, undefined, 'EIO', look, Object.assign(new Error('m'), look), Object.create(null)]) {
      expect(value instanceof here.OutwriteError).toBe(false);
      expect(value instanceof here.DeviceError).toBe(false);
    }
  });
});
