/**
 * Deliberate faults of the engine, applied from outside to the text of its sources: the engine itself carries no switches.
 *
 * A mutant names a file and what to replace in it. Its place must be found exactly once, otherwise applying it fails: a mutant that no
 * longer fits its source would prove nothing.
 */

export interface Edit {
  /** Text that occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  /** In kebab case, unique. */
  readonly name: string;
  /** The rule that it breaks, in a sentence, and in parentheses where `docs/architecture.md` has it, or the lesson that it is of. */
  readonly breaks: string;
  /** Path from the root of the workspace. */
  readonly file: string;
  readonly edits: readonly Edit[];
  /** Scenarios to try first, in this order; the search goes round through them. */
  readonly scenarios: readonly string[];
}

/** The text of the mutant's file with the fault in it. Throws an `Error` that names the mutant when a place is not found once. */
export function mutate(mutant: Mutant, text: string): string {
  let result = text;
  for (const { find, replace } of mutant.edits) {
    const at = result.indexOf(find);
    if (at === -1) throw new Error(`mutant ${mutant.name}: its place is not in ${mutant.file} any more:\n${find}`);
    if (result.indexOf(find, at + 1) !== -1) {
      throw new Error(`mutant ${mutant.name}: its place occurs more than once in ${mutant.file}:\n${find}`);
    }
    result = result.slice(0, at) + replace + result.slice(at + find.length);
  }
  return result;
}
