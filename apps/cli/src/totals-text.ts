/**
 * What a tree holds, in words and as JSON: the same for what came in and what went out.
 */
import { formatCounted, formatSize } from './quantities.ts';
import type { TreeTotals } from './transfer/tree-walk.ts';

/** `5 files, 2 directories, 1 symbolic link; 1.20 MiB`. */
export function totalsText({ fileCount, directoryCount, symlinkCount, hardLinkCount, sizeBytes }: TreeTotals): string {
  const parts = [
    formatCounted(fileCount, 'file'),
    formatCounted(directoryCount, 'directory', 'directories'),
    formatCounted(symlinkCount, 'symbolic link'),
  ];
  if (hardLinkCount > 0) parts.push(formatCounted(hardLinkCount, 'hard link'));
  return `${parts.join(', ')}; ${formatSize(sizeBytes)}`;
}

/** The counts that a program may want. */
export function totalsReport({ fileCount, directoryCount, symlinkCount, hardLinkCount, sizeBytes }: TreeTotals) {
  return { fileCount, directoryCount, symlinkCount, hardLinkCount, sizeBytes };
}
