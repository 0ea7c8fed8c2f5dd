/**
 * Assertions: `assert` is always on, `verify` only where somebody asked for expensive checks (every test does).
 *
 * A message is a constant string: a template literal is built on every call, failed or not, and costs a hundred times
 * the check. An `AssertionError` means a bug in this code or in its caller, never a bad image (that is a
 * `CorruptionError`).
 */

/** A condition that the code relies on did not hold. */
export class AssertionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AssertionError';
  }
}

/** Throws an `AssertionError` with the constant `message` unless `condition` holds. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) fail(message);
}

function fail(message: string): never {
  throw new AssertionError(`assertion failed: ${message}`);
}

let verificationOn = false;

/** Switches the checks of `verify` on or off for the whole process. Off by default. */
export function setVerification(on: boolean): void {
  verificationOn = on;
}

/** Whether the checks of `verify` run, for callers that must collect something beforehand. */
export function verificationIsOn(): boolean {
  return verificationOn;
}

/**
 * Runs an expensive check, which throws if it fails, when verification is on. Not for hot paths: the closure is made
 * either way.
 */
export function verify(check: () => void): void {
  if (verificationOn) check();
}
