/**
 * Standard output and standard error, as commands use them: lines and bytes, with back pressure, and a reader that may go away.
 *
 * Lines are gathered and handed to the stream in pieces of 64 KiB; `settle` waits until the stream takes more, so that a listing of a
 * million names holds no million lines. When the reader has closed its end (EPIPE), the next call throws a `BrokenPipeError`, which
 * ends the command silently, as is the custom. Every command ends with `finish` (the entry function sees to it).
 */
import type { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { BrokenPipeError, codeOf } from './failures.ts';

const PIECE_CHARACTERS = 65536;
const TURN_MILLISECONDS = 50;

export class Output {
  readonly isTerminal: boolean;
  readonly stream: Writable;
  readonly #gathers: boolean;
  #gathered: string[] = [];
  #gatheredCharacters = 0;
  #mustDrain = false;
  #hasWritten = false;
  #failure: Error | undefined;
  #lastTurnTime = performance.now();

  /** `gathers` is false for messages, which are to be seen at once. */
  constructor(stream: Writable, options: { gathers: boolean }) {
    this.stream = stream;
    this.#gathers = options.gathers;
    this.isTerminal = 'isTTY' in stream && stream.isTTY === true;
    stream.on('error', (error) => this.#fail(error));
  }

  /** The width of the terminal in characters; 80 where there is none. */
  get columnCount(): number {
    return 'columns' in this.stream && typeof this.stream.columns === 'number' ? this.stream.columns : 80;
  }

  /** Writes one line (or several, with newlines between). */
  line(text: string = ''): void {
    this.#gathered.push(text, '\n');
    this.#gatheredCharacters += text.length + 1;
    if (!this.#gathers || this.#gatheredCharacters >= PIECE_CHARACTERS) this.#release();
  }

  /** Writes a value as a JSON document: readable in a terminal, on one line otherwise. */
  json(value: unknown): void {
    this.line(JSON.stringify(value, jsonValue, this.isTerminal ? 2 : undefined));
  }

  /** Writes a value as one line of JSON, for streams of them. */
  jsonLine(value: unknown): void {
    this.line(JSON.stringify(value, jsonValue));
  }

  /** Writes bytes as they are and waits until the stream takes more. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#release();
    this.#pass(bytes);
    await this.settle();
  }

  /** Hands over what was gathered and waits until the stream takes more. Throws what the stream failed with. */
  async settle(): Promise<void> {
    this.#release();
    if (this.#mustDrain && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        const finish = (): void => {
          this.stream.off('drain', finish).off('error', finish).off('close', finish);
          resolve();
        };
        this.stream.on('drain', finish).on('error', finish).on('close', finish);
      });
      this.#mustDrain = false;
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Waits until everything is written, which `settle` does not. Throws what the stream failed with. */
  async finish(): Promise<void> {
    await this.settle();
    if (!this.#hasWritten) return;
    // Writes end in their order, so this one ends last, and fails if one before it has.
    const failure = await new Promise<Error | null | undefined>((resolve) => this.stream.write('', resolve));
    if (failure) this.#fail(failure);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** To be called between the lines of a long listing: waits if the stream is full, and gives signals their turn now and then. */
  async keepPace(): Promise<void> {
    if (this.#mustDrain) await this.settle();
    const now = performance.now();
    if (now - this.#lastTurnTime < TURN_MILLISECONDS) return;
    await setImmediate();
    this.#lastTurnTime = performance.now();
  }

  #pass(data: string | Uint8Array): void {
    this.#hasWritten = true;
    if (!this.stream.write(data)) this.#mustDrain = true;
  }

  #fail(error: Error): void {
    this.#failure ??= codeOf(error) === 'EPIPE' ? new BrokenPipeError('the reader has gone') : error;
  }

  #release(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#gatheredCharacters === 0) return;
    const text = this.#gathered.join('');
    this.#gathered = [];
    this.#gatheredCharacters = 0;
    this.#pass(text);
  }
}

/** JSON has no bigint: numbers where they are exact, otherwise decimal strings (nanoseconds are written as strings by their owners). */
function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value.toString();
}
