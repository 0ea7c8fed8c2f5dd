/** Errors carry stable codes, structured fields and messages that name the thing; assertions always fire. */
import { afterEach, describe, expect, it } from 'vitest';
import {
  AssertionError,
  assert,
  ClosedError,
  CorruptionError,
  DeviceError,
  LatchedError,
  LockedError,
  NoSpaceError,
  NotAVolumeError,
  OutwriteError,
  ReadOnlyError,
  setVerification,
  TooLargeError,
  TruncatedError,
  UnsupportedError,
  verificationIsOn,
  verify,
} from '../src/index.ts';

describe('errors', () => {
  const cause = new Error('the disk is on fire');

  it.each([
    [new DeviceError({ operation: 'read', position: 512, lengthBytes: 4096 }, 'm', { cause }), 'EIO', 'DeviceError'],
    [
      new CorruptionError('leaf', 'bad checksum', { block: 7, expected: 255, actual: 'x', cause }),
      'ECORRUPT',
      'CorruptionError',
    ],
    [new NoSpaceError('m', { cause }), 'ENOSPC', 'NoSpaceError'],
    [new LatchedError(cause), 'ELATCHED', 'LatchedError'],
    [new NotAVolumeError('m', { cause }), 'ENOTVOLUME', 'NotAVolumeError'],
    [new UnsupportedError('m', { cause }), 'EUNSUPPORTED', 'UnsupportedError'],
  ])('%s has its code, name and cause', (error, code, name) => {
    expect(error).toBeInstanceOf(OutwriteError);
    expect(error).toMatchObject({ code, name, cause });
  });

  it('have the fields that a program needs and say them to people', () => {
    expect(new DeviceError({ operation: 'flush' }, 'm')).toMatchObject({
      operation: 'flush',
      position: 0,
      lengthBytes: 0,
    });
    expect(new CorruptionError('leaf', 'bad checksum', { block: 7, expected: 255, actual: 16 }).message).toBe(
      'damaged leaf in block 7: bad checksum (expected 0xff, found 0x10)',
    );
    expect(new CorruptionError('inode', 'unknown kind', { actual: 3 }).message).toContain('another value');
    expect(new LatchedError(cause).message).toContain('on fire');
    expect(new ClosedError('the volume')).toMatchObject({
      code: 'ECLOSED',
      message: expect.stringContaining('the volume'),
    });
    expect(new ReadOnlyError('the volume')).toMatchObject({
      code: 'EROFS',
      message: expect.stringContaining('the volume'),
    });
    const locked = new LockedError('/a/b', { pid: 12, host: 'h', since: '2026-11-22T00:00:00Z' });
    expect(locked).toMatchObject({ code: 'ELOCKED', path: '/a/b', holder: { pid: 12 } });
    for (const part of ['/a/b', '12', 'h', '2026-11-22T00:00:00Z']) expect(locked.message).toContain(part);
    expect(new TruncatedError('x', { expectedBytes: 10, actualBytes: 5 })).toMatchObject({
      code: 'ETRUNCATED',
      actualBytes: 5,
    });
    expect(new TooLargeError('a key', { limit: 10, actual: 11 })).toMatchObject({
      code: 'ETOOLARGE',
      limit: 10,
      what: 'a key',
    });
  });

  it('have a cause only when there is one', () => {
    expect('cause' in new NoSpaceError('m')).toBe(false);
    expect('cause' in new CorruptionError('leaf', 'm')).toBe(false);
  });
});

describe('assertions', () => {
  afterEach(() => setVerification(true));

  it('fail with an AssertionError, which is no OutwriteError', () => {
    assert(true, 'fine');
    expect(() => assert(false, 'water is dry')).toThrow(AssertionError);
    expect(() => assert(false, 'water is dry')).toThrow('assertion failed: water is dry');
    expect(new AssertionError('x')).not.toBeInstanceOf(OutwriteError);
  });

  it('run expensive checks only when verification is on, which it is in tests', () => {
    expect(verificationIsOn()).toBe(true);
    let runs = 0;
    verify(() => runs++);
    setVerification(false);
    verify(() => runs++);
    expect(runs).toBe(1);
  });
});
