/**
 * The WebAssembly module of `xxh32-vector.ts`, put together instruction by instruction, so that there is nothing to build and everything to read.
 */
import { setU32 } from '../src/bytes.ts';
import { VECTOR_BLOCKS, VECTOR_ROOM_BYTES, VECTOR_STEP_BYTES } from '../src/xxh32-vector.ts';

const PAGE_BYTES = 65536;

// --- the instructions that are used, as the binary format of WebAssembly numbers them -------------------------------------------------

const I32 = 0x7f;
const V128 = 0x7b;
const LOOP = [0x03, 0x40];
const END = [0x0b];
const BRANCH_IF_TO_LOOP = [0x0d, 0];
const I32_LESS_UNSIGNED = [0x49];
const I32_ADD = [0x6a];
const I32_MULTIPLY = [0x6c];
const I32_XOR = [0x73];
const I32_SHIFT_RIGHT = [0x76];
const I32_ROTATE_LEFT = [0x77];
const VECTOR_LOAD = 0x00;
const VECTOR_CONSTANT = 0x0c;
const VECTOR_EXTRACT_I32 = 0x1b;
const VECTOR_OR = 0x50;
const VECTOR_SHIFT_LEFT_I32 = 0xab;
const VECTOR_SHIFT_RIGHT_I32 = 0xad;
const VECTOR_ADD_I32 = 0xae;
const VECTOR_MULTIPLY_I32 = 0xb5;

type Code = readonly number[];

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  while (rest < -64 || rest > 63) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>= 7;
  }
  bytes.push(rest & 0x7f);
  return bytes;
}

const get = (local: number): Code => [0x20, ...unsigned(local)];
const set = (local: number): Code => [0x21, ...unsigned(local)];
const constant = (value: number): Code => [0x41, ...signed(value)];
const vector = (instruction: number): Code => [0xfd, ...unsigned(instruction)];

function vectorConstant(lanes: readonly [number, number, number, number]): number[] {
  const bytes = new Uint8Array(16);
  for (let lane = 0; lane < 4; lane++) setU32(bytes, lane * 4, lanes[lane]! >>> 0);
  return [...vector(VECTOR_CONSTANT), ...bytes];
}

const listOf = (items: readonly Code[]): number[] => [...unsigned(items.length), ...items.flat()];
const sized = (content: Code): number[] => [...unsigned(content.length), ...content];
const section = (id: number, content: Code): number[] => [id, ...sized(content)];
const named = (name: string): number[] => sized([...name].map((character) => character.charCodeAt(0)));

// --- the module -----------------------------------------------------------------------------------------------------------------------

const PRIME_1 = 0x9e3779b1 | 0;
const PRIME_2 = 0x85ebca77 | 0;
const PRIME_3 = 0xc2b2ae3d | 0;
const STRIPE_BYTES = 16;
const STRIPES_A_STEP = VECTOR_STEP_BYTES / STRIPE_BYTES;
const LANE_ROTATIONS = [1, 7, 12, 18] as const;

/** Hashes `blockCount` blocks. Its parameter is the length of one; they begin at 0, and the checksums go to the end of the input. */
function encodeKernel(blockCount: number): number[] {
  const blockBytes = 0;
  const firstAt = 1;
  const end = firstAt + blockCount;
  const hash = end + 1;
  const firstLanes = hash + 1;
  const prime1 = firstLanes + blockCount;
  const prime2 = prime1 + 1;
  const blocks = Array.from({ length: blockCount }, (_, block) => ({ at: firstAt + block, lanes: firstLanes + block }));

  const code: number[] = [];
  const emit = (...parts: Code[]): void => {
    for (const part of parts) code.push(...part);
  };
  emit(vectorConstant([PRIME_1, PRIME_1, PRIME_1, PRIME_1]), set(prime1));
  emit(vectorConstant([PRIME_2, PRIME_2, PRIME_2, PRIME_2]), set(prime2));
  emit(get(blockBytes), set(end));
  for (const [block, { at, lanes }] of blocks.entries()) {
    emit(vectorConstant([PRIME_1 + PRIME_2, PRIME_2, 0, -PRIME_1]), set(lanes));
    if (block > 0) emit(get(at - 1), get(blockBytes), I32_ADD, set(at));
  }

  emit(LOOP);
  for (let stripe = 0; stripe < STRIPES_A_STEP; stripe++) {
    const load = [...vector(VECTOR_LOAD), 2, ...unsigned(stripe * STRIPE_BYTES)];
    for (const { at, lanes } of blocks) {
      emit(get(at), load, get(prime2), vector(VECTOR_MULTIPLY_I32), get(lanes), vector(VECTOR_ADD_I32), set(lanes));
    }
    for (const { lanes } of blocks) {
      emit(get(lanes), constant(13), vector(VECTOR_SHIFT_LEFT_I32), get(lanes), constant(19));
      emit(vector(VECTOR_SHIFT_RIGHT_I32), vector(VECTOR_OR), get(prime1), vector(VECTOR_MULTIPLY_I32), set(lanes));
    }
  }
  for (const { at } of blocks) emit(get(at), constant(VECTOR_STEP_BYTES), I32_ADD, set(at));
  emit(get(firstAt), get(end), I32_LESS_UNSIGNED, BRANCH_IF_TO_LOOP, END);

  for (const [block, { lanes }] of blocks.entries()) {
    for (const [lane, rotation] of LANE_ROTATIONS.entries()) {
      emit(get(lanes), [...vector(VECTOR_EXTRACT_I32), lane], constant(rotation), I32_ROTATE_LEFT);
      if (lane > 0) emit(I32_ADD);
    }
    emit(get(blockBytes), I32_ADD, set(hash));
    for (const [shift, prime] of [
      [15, PRIME_2],
      [13, PRIME_3],
    ] as const) {
      emit(get(hash), get(hash), constant(shift), I32_SHIFT_RIGHT, I32_XOR, constant(prime), I32_MULTIPLY, set(hash));
    }
    emit(constant(0), get(hash), get(hash), constant(16), I32_SHIFT_RIGHT, I32_XOR);
    emit([0x36, 2, ...unsigned(VECTOR_ROOM_BYTES + block * 4)]);
  }
  emit(END);
  const locals = listOf([
    [...unsigned(blockCount + 2), I32],
    [...unsigned(blockCount + 2), V128],
  ]);
  return sized([...locals, ...code]);
}

/** The module whose text is `VECTOR_MODULE`. */
export function encodeModule(): Uint8Array {
  const pageCount = VECTOR_ROOM_BYTES / PAGE_BYTES + 1;
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, listOf([[0x60, 1, I32, 0]])),
    ...section(2, listOf([[...named('host'), ...named('memory'), 2, 1, pageCount, pageCount]])),
    ...section(3, listOf([[0], [0]])),
    ...section(
      7,
      listOf([
        [...named('one'), 0, 0],
        [...named('four'), 0, 1],
      ]),
    ),
    ...section(10, listOf([encodeKernel(1), encodeKernel(VECTOR_BLOCKS)])),
  ]);
}
