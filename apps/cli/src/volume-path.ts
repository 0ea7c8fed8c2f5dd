/**
 * Paths inside a volume, as users write them: with or without a leading slash, with a trailing one for "into this directory".
 */
import { posix } from 'node:path';
import { UsageError } from './failures.ts';
import type { CliVolume } from './volume-session.ts';

/** The absolute path in normal form: `a//b/../c/` becomes `/a/c`. Symbolic links are not looked at, so `..` after one is refused. */
export function volumePath(path: string): string {
  if (path.includes('\0')) throw new UsageError('a path cannot contain a zero byte');
  const absolute = `/${path}`.replace(/\/+/g, '/');
  if (absolute.split('/').includes('..'))
    throw new UsageError(`'${path}': paths inside a volume are written without '..'`);
  const normal = posix.normalize(absolute);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

/** The last name of a path; '/' for the root. */
export function lastName(path: string): string {
  return posix.basename(path) || '/';
}

/** The path of `name` in a directory of the volume. */
export function pathIn(directoryPath: string, name: string): string {
  return directoryPath === '/' ? `/${name}` : `${directoryPath}/${name}`;
}

/**
 * Where something called `name` goes when the user names `target`: into it if it is a directory (links to one are followed) or is
 * written with a trailing slash, otherwise to that very path.
 */
export function placeFor(volume: CliVolume, target: string, name: string): string {
  const path = volumePath(target);
  const isDirectory = volume.fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return isDirectory || target.endsWith('/') ? pathIn(path, name) : path;
}
