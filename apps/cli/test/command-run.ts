/**
 * Runs the command line in the process of the test and gathers what a user would see.
 */
import { Readable, Writable } from 'node:stream';
import { type CommandLineStreams, runCommandLine } from '../src/command-line.ts';

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Buffer;
}

class GatheringStream extends Writable {
  readonly chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.chunks.push(Buffer.from(chunk));
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

/** A stream that claims to be a terminal of the given width. */
export class TerminalStream extends GatheringStream {
  readonly isTTY = true;
  readonly columns: number;

  constructor(columns: number) {
    super();
    this.columns = columns;
  }
}

export interface RunOptions {
  readonly stdin?: string | Buffer;
  readonly signal?: AbortSignal;
  readonly terminalWidth?: number;
}

/** `outwrite(['ls', file])`. */
export async function outwrite(parameters: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  const makeStream = () =>
    options.terminalWidth === undefined ? new GatheringStream() : new TerminalStream(options.terminalWidth);
  const stdout = makeStream();
  const stderr = makeStream();
  const streams: CommandLineStreams = {
    stdin: Readable.from(options.stdin === undefined ? [] : [options.stdin]),
    stdout,
    stderr,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };
  const exitCode = await runCommandLine(parameters, streams);
  return { exitCode, stdout: stdout.bytes.toString(), stderr: stderr.bytes.toString(), stdoutBytes: stdout.bytes };
}

/** Runs a command that has to succeed and returns what it printed. */
export async function outwriteOk(parameters: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await outwrite(parameters, options);
  if (result.exitCode !== 0) {
    throw new Error(`outwrite ${parameters.join(' ')} ended with ${result.exitCode}: ${result.stderr}`);
  }
  return result.stdout;
}

/** The flags under which Node runs the sources of the workspace. */
export const SOURCE_FLAGS: readonly string[] = ['--conditions=@outwrite/source', '--import', 'tsx'];
