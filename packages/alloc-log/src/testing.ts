/**
 * `@outwrite/alloc-log/testing`: the smallest client that uses everything the log offers, for tests, benchmarks and as a pattern.
 */
export { type LongOptions, type Register, RegisterClient, type RegisterData } from './testing/register-client.ts';
