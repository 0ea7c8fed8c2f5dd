/**
 * The part of a walk that is left out because its directory could not be made: one problem is reported, not one for each entry.
 *
 * The walk goes on through the left-out directory up to and including the step that leaves it; after that this is empty again.
 */

export class LeftOutTree {
  #directoryPath: string | undefined;

  /** From now on everything below `directoryPath` is left out. */
  begin(directoryPath: string): void {
    this.#directoryPath = directoryPath;
  }

  /** Whether a step at `path` is left out. To be asked for every step of the walk, in order. */
  has(path: string): boolean {
    const directoryPath = this.#directoryPath;
    if (directoryPath === undefined) return false;
    if (directoryPath === '' || path === directoryPath || path.startsWith(`${directoryPath}/`)) return true;
    this.#directoryPath = undefined;
    return false;
  }
}
