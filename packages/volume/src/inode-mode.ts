/**
 * Codes of an inode's mode, flags, and type in directory entries.
 *
 * All of them are stored: do not renumber. The mode is that of POSIX systems, the entry types are those of `readdir`.
 */

// The file types in the mode, as POSIX systems number them. On disk: do not renumber.
export const MODE_TYPE_MASK = 0o170000;
export const MODE_FILE = 0o100000;
export const MODE_DIRECTORY = 0o040000;
export const MODE_SYMLINK = 0o120000;
export const MODE_PERMISSIONS = 0o7777;

// Types in directory entries, numbered as `UV_DIRENT_*`. On disk: do not renumber.
export const ENTRY_FILE = 1;
export const ENTRY_DIRECTORY = 2;
export const ENTRY_SYMLINK = 3;

// Flags of a record. On disk: do not renumber.
/** The content is kept by `filemap`; without it the content, if any, is the value of the inline key. */
export const FLAG_MAPPED = 0x1;
/** There are, or were, extended attributes. */
export const FLAG_XATTRS = 0x2;
/** The target of a symbolic link stands under its own key. */
export const FLAG_LONG_TARGET = 0x4;
/** A record with any other flag was not written by this release. */
export const KNOWN_FLAGS: number = FLAG_MAPPED | FLAG_XATTRS | FLAG_LONG_TARGET;

/** The type in directory entries that goes with a mode. */
export function entryTypeOf(mode: number): number {
  const type = mode & MODE_TYPE_MASK;
  return type === MODE_DIRECTORY ? ENTRY_DIRECTORY : type === MODE_SYMLINK ? ENTRY_SYMLINK : ENTRY_FILE;
}
