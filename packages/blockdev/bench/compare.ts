/** The key comparison beside `Buffer.compare`, for keys that differ in their last byte: the longest way for their length. */
import { Buffer } from 'node:buffer';
import { compareBytes } from '../src/index.ts';
import { type Effort, type Measurement, measure } from './measure.ts';

const KEY_COUNT = 1024;

export function benchCompare(effort: Effort): Measurement[] {
  const results: Measurement[] = [];
  for (const length of [8, 16, 40, 128]) {
    const arena = new Uint8Array(KEY_COUNT * length);
    for (let i = 0; i < KEY_COUNT; i++) arena[(i + 1) * length - 1] = i;
    const key = new Uint8Array(length);
    const buffers = Array.from({ length: KEY_COUNT }, (_, i) =>
      Buffer.from(arena.subarray(i * length, (i + 1) * length)),
    );
    const keyBuffer = Buffer.from(key);
    let index = 0;
    const next = (): number => {
      index = (index + 1) % KEY_COUNT;
      return index;
    };
    results.push(
      measure(`compareBytes, ${length} bytes`, 0, effort, () => {
        const start = next() * length;
        return compareBytes(key, 0, length, arena, start, start + length);
      }),
      measure(`Buffer.compare, ${length} bytes`, 0, effort, () => Buffer.compare(keyBuffer, buffers[next()]!)),
    );
  }
  return results;
}
