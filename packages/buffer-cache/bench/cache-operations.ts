/**
 * What the cache costs on the paths of the layers above: look-up, addressing, misses, both redirects, write-back.
 *
 * Look-ups go to random numbers among all that are mapped, through a list drawn beforehand. Figures are medians of
 * rounds and comparable only within one run.
 */
import { MemoryDevice, xxh32 } from '@outwrite/blockdev';
import { BufferCache, WriteBatch } from '@outwrite/buffer-cache';
import { Random } from '@outwrite/testkit';

export interface BenchScale {
  /** Blocks mapped for the look-ups. */
  readonly mappedCount: number;
  /** Operations of one round. */
  readonly operationCount: number;
  readonly rounds: number;
}

export const FULL_SCALE: BenchScale = { mappedCount: 1_000_000, operationCount: 200_000, rounds: 7 };

/** Enough to run every line once; the figures mean nothing. */
export const SMALL_SCALE: BenchScale = { mappedCount: 2000, operationCount: 500, rounds: 1 };

export interface Measurement {
  readonly name: string;
  /** Nanoseconds of one operation, median of the rounds. */
  readonly nanoseconds: number;
}

/** Runs `round` (which makes `operationCount` operations) once to warm up and then `rounds` times. */
function measure(name: string, scale: BenchScale, round: () => number): Measurement {
  const times: number[] = [];
  let sum = 0;
  for (let i = 0; i <= scale.rounds; i++) {
    const start = performance.now();
    sum += round();
    if (i > 0) times.push(((performance.now() - start) * 1e6) / scale.operationCount);
  }
  if (Number.isNaN(sum)) throw new Error(`${name} computed nothing`);
  times.sort((a, b) => a - b);
  return { name, nanoseconds: times[times.length >> 1] };
}

/** Look-ups among `mappedCount` blocks of 512 bytes, all cached. */
export function benchLookUps(scale: BenchScale): Measurement[] {
  const blockSize = 512;
  const { mappedCount, operationCount } = scale;
  const device = new MemoryDevice({ sizeBytes: 0 });
  const cache = new BufferCache(device, { blockSize, budgetBytes: mappedCount * blockSize });
  for (let i = 0; i < mappedCount; i++) cache.markClean(cache.create(numberAt(i)));
  const random = new Random(1);
  const numbers = Uint32Array.from({ length: operationCount }, () => numberAt(random.below(mappedCount)));
  const pageCount = Math.min(mappedCount, 100_000);
  const pageCache = new BufferCache(device, { blockSize, budgetBytes: pageCount * blockSize });
  const space = pageCache.openSpace();
  for (let page = 0; page < pageCount; page++) pageCache.markClean(space.create(page));
  const pages = Uint32Array.from({ length: operationCount }, () => random.below(pageCount));
  const kept = cache.find(numberAt(0));
  return [
    measure(`find, ${mappedCount} blocks mapped`, scale, () => {
      let sum = 0;
      for (let i = 0; i < numbers.length; i++) sum += cache.find(numbers[i]);
      return sum;
    }),
    measure('find and read a word of the block', scale, () => {
      let sum = 0;
      for (let i = 0; i < numbers.length; i++) {
        const frame = cache.find(numbers[i]);
        sum += cache.slabOf(frame).u32[cache.baseOf(frame) >>> 2];
      }
      return sum;
    }),
    measure(`find a page, ${pageCount} pages in the file`, scale, () => {
      let sum = 0;
      for (let i = 0; i < pages.length; i++) sum += space.find(pages[i]);
      return sum;
    }),
    measure('pin and unpin', scale, () => {
      for (let i = 0; i < operationCount; i++) {
        cache.pin(kept);
        cache.unpin(kept);
      }
      return kept;
    }),
  ];
}

/** Block numbers with gaps, as a volume has them. */
function numberAt(i: number): number {
  return i * 3 + 7;
}

/** What changes the mapping, with blocks of 4096 bytes. */
export function benchChanges(scale: BenchScale): Measurement[] {
  const blockSize = 4096;
  const { operationCount } = scale;
  const deviceBlockCount = 8192;
  const device = new MemoryDevice({ sizeBytes: deviceBlockCount * blockSize });
  device.writeSync(0, [new Uint8Array(deviceBlockCount * blockSize).fill(1)]);
  const checksum = xxh32(new Uint8Array(blockSize).fill(1));
  const cache = new BufferCache(device, { blockSize, budgetBytes: 1024 * blockSize });
  const random = new Random(2);
  let frame = cache.create(0xf0000000);
  cache.markDirty(frame, 1);
  let number = 0xf0000001;
  return [
    measure('read a block that is not cached, verify, evict', scale, () => {
      let sum = 0;
      for (let i = 0; i < operationCount; i++) sum += cache.read(random.below(deviceBlockCount), checksum, 'leaf');
      return sum;
    }),
    measure('create and discard', scale, () => {
      let sum = 0;
      for (let i = 0; i < operationCount; i++) {
        const created = cache.create(0xe0000000 + i);
        sum += created;
        cache.discard(created);
      }
      return sum;
    }),
    measure('redirect, renaming', scale, () => {
      for (let i = 0; i < operationCount; i++) {
        frame = cache.redirect(frame, number++);
        cache.markDirty(frame, 1);
      }
      return frame;
    }),
    measure('redirect, copying a block that is being written', scale, () => {
      for (let i = 0; i < operationCount; i++) {
        const old = frame;
        cache.beginWrite(old);
        frame = cache.redirect(old, number++);
        cache.markDirty(frame, 1);
        cache.endWrite(old, 1);
      }
      return frame;
    }),
  ];
}

/** Write-back of batches of 256 scattered blocks: collecting, sorting and joining, and the writes themselves. */
export function benchWriteBack(scale: BenchScale): Measurement[] {
  const blockSize = 4096;
  const batchCount = 256;
  const device = new MemoryDevice({ sizeBytes: 4096 * blockSize });
  const random = new Random(3);
  const blocks = random
    .shuffled(Array.from({ length: 512 }, (_, block) => block * 2 + (block & 1)))
    .slice(0, batchCount);
  const content = new Uint8Array(blockSize).fill(5);
  const run = (write: boolean) => () => {
    let sum = 0;
    for (let done = 0; done < scale.operationCount; done += batchCount) {
      const batch = new WriteBatch(device, blockSize);
      for (let i = 0; i < batchCount; i++) batch.add(blocks[i], content);
      sum += batch.runCount;
      if (write) batch.writeSync();
    }
    return sum;
  };
  return [
    measure(`batch of ${batchCount} blocks, sorted and joined, a block`, scale, run(false)),
    measure('the same, written to memory', scale, run(true)),
  ];
}
