/**
 * Copies of keys and values for the user, cut from a shared piece of memory: making a view of it costs a fraction of making an array.
 *
 * The memory lives as long as anything that was cut from it is referred to, as with Node's buffer pool. What is large compared
 * with it gets an array of its own.
 */
const POOL_BYTES = 65536;
const LARGE_BYTES = 4096;
/** Up to here a loop over words is cheaper than a call. */
const LOOP_BYTES = 512;

let poolBuffer = new ArrayBuffer(POOL_BYTES);
let poolWords = new Uint32Array(poolBuffer);
let poolAt = 0;

/** A copy of `length` bytes of a slab from `start` on, a multiple of four. */
export function pooledCopy(u8: Uint8Array, u32: Uint32Array, start: number, length: number): Uint8Array {
  if (length > LARGE_BYTES) return u8.slice(start, start + length);
  const paddedBytes = (length + 3) & ~3;
  if (poolAt + paddedBytes > POOL_BYTES) {
    poolBuffer = new ArrayBuffer(POOL_BYTES);
    poolWords = new Uint32Array(poolBuffer);
    poolAt = 0;
  }
  const copy = new Uint8Array(poolBuffer, poolAt, length);
  if (length <= LOOP_BYTES) {
    const words = poolWords;
    for (let target = poolAt >>> 2, source = start >>> 2, end = target + (paddedBytes >>> 2); target < end; ) {
      words[target++] = u32[source++]!;
    }
  } else {
    copy.set(u8.subarray(start, start + length));
  }
  poolAt += paddedBytes;
  return copy;
}
