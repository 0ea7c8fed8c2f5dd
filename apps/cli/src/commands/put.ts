/** `outwrite put`: one file, or standard input, into a volume. */
import { randomUUID } from 'node:crypto';
import { basename, dirname, posix } from 'node:path';
import type { Command } from 'commander';
import { action, type CommandContext, type JsonOption, newCommand } from '../command-context.ts';
import { CommandError, UsageError } from '../failures.ts';
import { printableName } from '../printable.ts';
import { formatSize, parseMode } from '../quantities.ts';
import { hostIdentity, hostTree } from '../transfer/host-tree.ts';
import type { OpenedFile } from '../transfer/tree-source.ts';
import { placeFor } from '../volume-path.ts';
import type { CliVolume } from '../volume-session.ts';
import { withVolumeToChange } from '../volume-session.ts';

interface Options extends JsonOption {
  readonly mode?: string;
  readonly overwrite?: true;
}

const PIECE_BYTES = 1024 * 1024;
const DEFAULT_MODE = 0o644;

export function putCommand(context: CommandContext): Command {
  return newCommand('put', 'copy one file into the volume', [
    'outwrite put photos.ow ~/sunset.jpg 2026/',
    'outwrite put notes.ow draft.txt todo.txt --overwrite',
    'date | outwrite put notes.ow - now.txt',
  ])
    .argument('<volume>', 'the volume')
    .argument('<source>', 'a file on your disk, or - for standard input')
    .argument('[path]', 'where it goes; into it, if that is a directory', '/')
    .option('-m, --mode <mode>', 'permission bits in octal (default: those of the source, 644 for standard input)')
    .option('-f, --overwrite', 'replace a file that is there already')
    .option('--json', 'print what was written as JSON')
    .action(
      action(context, async (file: string, source: string, target: string, options: Options) => {
        const mode = options.mode === undefined ? undefined : parseMode(options.mode);
        const opened = source === '-' ? undefined : openSource(source);
        try {
          await withVolumeToChange(file, {}, async (volume) => {
            if (opened?.entry().identity === hostIdentity(file)) {
              throw new UsageError(`${source} is the volume itself, and would grow for as long as it is read`);
            }
            const path = placeFor(volume, target, source === '-' ? '' : basename(source));
            if (path.endsWith('/')) throw new UsageError('standard input needs a name: give a path, not a directory');
            const sizeBytes = await replaceFile(volume, path, options.overwrite === true, async (descriptor) => {
              const writtenBytes =
                opened === undefined
                  ? await copyStream(context, volume, descriptor)
                  : copyOpened(context, volume, descriptor, opened);
              const entry = opened?.entry();
              volume.fs.fchmodSync(descriptor, mode ?? entry?.mode ?? DEFAULT_MODE);
              if (entry !== undefined) volume.fs.futimesSync(descriptor, entry.atimeNs, entry.mtimeNs);
              return writtenBytes;
            });
            if (options.json) context.stdout.json({ path, sizeBytes });
            else context.stdout.line(`${printableName(path)}: ${formatSize(sizeBytes)}`);
          });
        } finally {
          opened?.close();
        }
      }),
    );
}

function openSource(source: string): OpenedFile {
  const opened = hostTree(dirname(source)).open(basename(source));
  if (opened.entry().kind === 'file') return opened;
  opened.close();
  throw new UsageError(`${source} is not a file; directories are brought in with import`);
}

/** Writes a new file beside `path` and renames it, so that a commit on the way never holds half of it under its name. */
async function replaceFile(
  volume: CliVolume,
  path: string,
  overwrite: boolean,
  write: (descriptor: number) => Promise<number>,
): Promise<number> {
  const present = volume.fs.lstatSync(path, { throwIfNoEntry: false });
  if (present?.isDirectory()) throw new CommandError(`${path} is a directory`);
  if (present !== undefined && !overwrite) throw new CommandError(`${path} exists already; --overwrite replaces it`);
  const temporary = posix.join(posix.dirname(path), `.outwrite-${randomUUID()}`);
  const descriptor = volume.fs.openSync(temporary, 'wx', DEFAULT_MODE);
  try {
    let sizeBytes: number;
    try {
      sizeBytes = await write(descriptor);
    } finally {
      volume.fs.closeSync(descriptor);
    }
    volume.fs.renameSync(temporary, path);
    return sizeBytes;
  } catch (error) {
    volume.fs.rmSync(temporary, { force: true });
    throw error;
  }
}

function copyOpened(context: CommandContext, volume: CliVolume, descriptor: number, opened: OpenedFile): number {
  const piece = new Uint8Array(PIECE_BYTES);
  let position = 0;
  for (;;) {
    context.signal.throwIfAborted();
    const readBytes = opened.read(position, piece);
    if (readBytes === 0) return position;
    volume.fs.writeSync(descriptor, piece, 0, readBytes, position);
    position += readBytes;
  }
}

/** Copies standard input, gathered into pieces, because pipes deliver 64 KiB at a time. */
async function copyStream(context: CommandContext, volume: CliVolume, descriptor: number): Promise<number> {
  const piece = new Uint8Array(PIECE_BYTES);
  let gatheredBytes = 0;
  let position = 0;
  const release = (): void => {
    volume.fs.writeSync(descriptor, piece, 0, gatheredBytes, position);
    position += gatheredBytes;
    gatheredBytes = 0;
  };
  for await (const chunk of context.stdin) {
    context.signal.throwIfAborted();
    const bytes = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk;
    for (let start = 0; start < bytes.length; ) {
      const part = bytes.subarray(start, start + PIECE_BYTES - gatheredBytes);
      piece.set(part, gatheredBytes);
      gatheredBytes += part.length;
      start += part.length;
      if (gatheredBytes === PIECE_BYTES) release();
    }
  }
  if (gatheredBytes > 0) release();
  return position;
}
