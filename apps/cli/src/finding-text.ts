/** What `check` and `scrub` find, in words. */
import type { Finding } from '@outwrite/volume';
import { printableName } from './printable.ts';

/** `error wrong-link-count, inode: ... (/a/b, inode 12, block 99)`. */
export function findingText({ severity, code, structure, message, path, inode, block }: Finding): string {
  const where: string[] = [];
  if (path !== undefined) where.push(printableName(path));
  if (inode !== undefined) where.push(`inode ${inode}`);
  if (block !== undefined) where.push(`block ${block}`);
  return `${severity} ${code}, ${structure}: ${message}${where.length === 0 ? '' : ` (${where.join(', ')})`}`;
}
