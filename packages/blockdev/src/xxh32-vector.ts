/**
 * XXH32 of whole blocks by the vector instructions of WebAssembly, where the host has them.
 *
 * The four lanes of XXH32 are the four lanes of one vector register, so a stripe is one step instead of four; four blocks at once keep the
 * multiplier busy while each of them waits for its own last step. The module stands below as text: 1.2 KB, no import but its memory.
 * `test/xxh32-module.ts` puts it together, instruction by instruction, and a test holds the text against that; doing so in every process would
 * take as long as reading a hundred blocks. What is hashed is copied into that memory first, which costs less than it saves from about a
 * kilobyte on. Measured on 4 KiB blocks: 7 GB/s one at a time and 8 to 17 GB/s four at a time, beside 3.4 GB/s in plain JavaScript.
 *
 * A host without WebAssembly or its vectors, or that forbids to compile, has the plain form (`xxh32.ts`) with the same values.
 */

/** What is copied in at once, at most: four blocks of the largest size. */
export const VECTOR_ROOM_BYTES = 65536;
/** Lengths that can be hashed are multiples of this: the loop takes two stripes at a time. */
export const VECTOR_STEP_BYTES = 32;
/** Blocks that are hashed at once. */
export const VECTOR_BLOCKS = 4;

/** The two kernels and the memory that they read. */
export interface VectorHash {
  /** Copy the blocks here, one after the other from the start on. */
  readonly input: Uint8Array;
  /** The checksums of the blocks hashed last. */
  readonly output: Uint32Array;
  /** Hashes one block, or four, of `blockBytes` bytes: more than none, a multiple of the step. The input is used up by neither. */
  readonly one: (blockBytes: number) => void;
  readonly four: (blockBytes: number) => void;
}

/** The module in base64. */
export const VECTOR_MODULE: string =
  'AGFzbQEAAAABBQFgAX8AAhEBBGhvc3QGbWVtb3J5AgECAgMDAgAABw4CA29uZQAABGZvdXIAAQrwCAKCAgIDfwN7/QyxeTeesXk3nrF5N56xeT' +
  'eeIQX9DHfK64V3yuuFd8rrhXfK64UhBiAAIQL9DChEIyR3yuuFAAAAAE+GyGEhBANAIAH9AAIAIAb9tQEgBP2uASEEIARBDf2rASAEQRP9rQH9' +
  'UCAF/bUBIQQgAf0AAhAgBv21ASAE/a4BIQQgBEEN/asBIARBE/2tAf1QIAX9tQEhBCABQSBqIQEgASACSQ0ACyAE/RsAQQF3IAT9GwFBB3dqIA' +
  'T9GwJBDHdqIAT9GwNBEndqIABqIQMgAyADQQ92c0H3lK+veGwhAyADIANBDXZzQb3cypV8bCEDQQAgAyADQRB2czYCgIAEC+kGAgZ/Bnv9DLF5' +
  'N56xeTeesXk3nrF5N54hC/0Md8rrhXfK64V3yuuFd8rrhSEMIAAhBf0MKEQjJHfK64UAAAAAT4bIYSEH/QwoRCMkd8rrhQAAAABPhshhIQggAS' +
  'AAaiEC/QwoRCMkd8rrhQAAAABPhshhIQkgAiAAaiED/QwoRCMkd8rrhQAAAABPhshhIQogAyAAaiEEA0AgAf0AAgAgDP21ASAH/a4BIQcgAv0A' +
  'AgAgDP21ASAI/a4BIQggA/0AAgAgDP21ASAJ/a4BIQkgBP0AAgAgDP21ASAK/a4BIQogB0EN/asBIAdBE/2tAf1QIAv9tQEhByAIQQ39qwEgCE' +
  'ET/a0B/VAgC/21ASEIIAlBDf2rASAJQRP9rQH9UCAL/bUBIQkgCkEN/asBIApBE/2tAf1QIAv9tQEhCiAB/QACECAM/bUBIAf9rgEhByAC/QAC' +
  'ECAM/bUBIAj9rgEhCCAD/QACECAM/bUBIAn9rgEhCSAE/QACECAM/bUBIAr9rgEhCiAHQQ39qwEgB0ET/a0B/VAgC/21ASEHIAhBDf2rASAIQR' +
  'P9rQH9UCAL/bUBIQggCUEN/asBIAlBE/2tAf1QIAv9tQEhCSAKQQ39qwEgCkET/a0B/VAgC/21ASEKIAFBIGohASACQSBqIQIgA0EgaiEDIARB' +
  'IGohBCABIAVJDQALIAf9GwBBAXcgB/0bAUEHd2ogB/0bAkEMd2ogB/0bA0ESd2ogAGohBiAGIAZBD3ZzQfeUr694bCEGIAYgBkENdnNBvdzKlX' +
  'xsIQZBACAGIAZBEHZzNgKAgAQgCP0bAEEBdyAI/RsBQQd3aiAI/RsCQQx3aiAI/RsDQRJ3aiAAaiEGIAYgBkEPdnNB95Svr3hsIQYgBiAGQQ12' +
  'c0G93MqVfGwhBkEAIAYgBkEQdnM2AoSABCAJ/RsAQQF3IAn9GwFBB3dqIAn9GwJBDHdqIAn9GwNBEndqIABqIQYgBiAGQQ92c0H3lK+veGwhBi' +
  'AGIAZBDXZzQb3cypV8bCEGQQAgBiAGQRB2czYCiIAEIAr9GwBBAXcgCv0bAUEHd2ogCv0bAkEMd2ogCv0bA0ESd2ogAGohBiAGIAZBD3ZzQfeU' +
  'r694bCEGIAYgBkENdnNBvdzKlXxsIQZBACAGIAZBEHZzNgKMgAQL';

interface WebAssemblyHost {
  readonly atob: (text: string) => string;
  readonly WebAssembly?: {
    readonly Memory: new (limits: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
  };
}

const PAGE_BYTES = 65536;

/** The kernels, or null where `host` cannot have them. */
export function makeVectorHash(host: object): VectorHash | null {
  const { WebAssembly, atob } = host as WebAssemblyHost;
  if (WebAssembly === undefined) return null;
  try {
    const pageCount = VECTOR_ROOM_BYTES / PAGE_BYTES + 1;
    const memory = new WebAssembly.Memory({ initial: pageCount, maximum: pageCount });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytesOf(atob(VECTOR_MODULE))), {
      host: { memory },
    });
    const { one, four } = instance.exports as unknown as Pick<VectorHash, 'one' | 'four'>;
    const input = new Uint8Array(memory.buffer, 0, VECTOR_ROOM_BYTES);
    return { input, output: new Uint32Array(memory.buffer, VECTOR_ROOM_BYTES, VECTOR_BLOCKS), one, four };
  } catch {
    // No vectors, no memory, or a policy against compiling: the plain form does.
    return null;
  }
}

/** The bytes of a text in which each character stands for one. */
function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
