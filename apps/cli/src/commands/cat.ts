/** `outwrite cat`: the content of files on standard output. */
import type { Command } from 'commander';
import { action, type CommandContext, newCommand } from '../command-context.ts';
import type { OpenedFile } from '../transfer/tree-source.ts';
import { volumeTree } from '../transfer/volume-tree.ts';
import { volumePath } from '../volume-path.ts';
import { LOCK_OPTION, type SessionOptions, withVolumeToRead } from '../volume-session.ts';

const PIECE_BYTES = 1024 * 1024;

export function catCommand(context: CommandContext): Command {
  return newCommand('cat', 'print the content of files', [
    'outwrite cat notes.ow todo.txt',
    'outwrite cat photos.ow 2026/sunset.jpg > sunset.jpg',
  ])
    .argument('<volume>', 'the volume')
    .argument('<path...>', 'files in it')
    .option(...LOCK_OPTION)
    .action(
      action(context, async (file: string, paths: string[], options: SessionOptions) => {
        await withVolumeToRead(file, options, async (volume) => {
          const tree = volumeTree(volume, '/');
          for (const path of paths) {
            const opened = tree.open(volumePath(path).slice(1));
            try {
              await printContent(context, opened);
            } finally {
              opened.close();
            }
          }
        });
      }),
    );
}

/** Copies a file to standard output, no faster than the reader takes it. */
export async function printContent(context: CommandContext, opened: OpenedFile): Promise<void> {
  let position = 0;
  for (;;) {
    context.signal.throwIfAborted();
    // A new piece each time: the stream may still hold the one before.
    const piece = new Uint8Array(PIECE_BYTES);
    const readBytes = opened.read(position, piece);
    if (readBytes === 0) return;
    await context.stdout.write(piece.subarray(0, readBytes));
    position += readBytes;
  }
}
