/**
 * Calls that must be finished when they return. The type of a function that returns nothing is also fitted by an `async` one, so the
 * compiler lets such a device pass; without a check, what it has yet to do would be acknowledged as done.
 */

/** Returns `result`. Throws a `TypeError` that names `what` if it is a promise; what that rejects with is said by nobody else. */
export function checkSynchronous<Result>(result: Result, what: string): Result {
  if (!isPromiseLike(result)) return result;
  result.then(ignore, ignore);
  throw new TypeError(
    `${what} returned a promise, and has to be finished when it returns; it cannot be an async function`,
  );
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function ignore(): void {}
