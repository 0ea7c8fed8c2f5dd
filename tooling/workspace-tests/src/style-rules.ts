/**
 * The parts of the style that a program can see: names, headers, sizes, and what must not stay in the code.
 *
 * A file beyond the size bound needs an entry in `longFiles` with its reason; an entry that is no longer needed is itself
 * a finding, so the list cannot outlive its files.
 */
import type { SourceFile } from './workspace-files.ts';

/** Lines that a source file may have; most have 150 to 250. */
export const maximumSourceLines = 500;
/** Lines that a test file may have: a table of cases is longer than what it tests. */
export const maximumTestLines = 1000;

const kebabCase = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
/** Names that say nothing of what a file holds. */
const emptyNames = new Set(['util', 'utils', 'common', 'helper', 'helpers', 'types', 'misc', 'shared-code', 'stuff']);
const unfinished = /\b(?:TODO|FIXME|XXX|HACK)\b|\b[Nn]ot (?:yet )?implemented\b/;

/** Files that may be longer, by `package/path`, and why. */
export type LongFiles = Readonly<Record<string, string>>;

export function styleFindings(files: readonly SourceFile[], longFiles: LongFiles): string[] {
  const findings: string[] = [];
  const seenLong = new Set<string>();
  for (const file of files) {
    const name = `${file.packageName}/${file.path}`;
    for (const part of file.path.split('/')) {
      const stem = part.replace(/(?:\.(?:test|bench|config|d))?\.[a-z]+$/, '');
      if (!kebabCase.test(stem)) findings.push(`${name}: '${part}' is not in kebab-case`);
      if (stem.split('-').some((word) => emptyNames.has(word)))
        findings.push(`${name}: '${part}' names no domain noun`);
    }
    const isSource = file.path.startsWith('src/') && !file.path.endsWith('.test.ts');
    if (isSource) findings.push(...headerFindings(name, file.text));
    const unfinishedAt = unfinished.exec(file.text);
    if (unfinishedAt !== null) findings.push(`${name}: contains '${unfinishedAt[0]}'`);

    const lineCount = file.text.split('\n').length - 1;
    const bound = isSource ? maximumSourceLines : maximumTestLines;
    if (lineCount <= bound) continue;
    seenLong.add(name);
    if (!(longFiles[name]?.length > 20))
      findings.push(`${name}: ${lineCount} lines, more than ${bound} without a reason`);
  }
  for (const name of Object.keys(longFiles)) {
    if (!seenLong.has(name)) findings.push(`${name}: excused from the size bound, but not longer than it`);
  }
  return findings;
}

/** A module begins with a comment that says what it is, in at least one sentence. */
function headerFindings(name: string, text: string): string[] {
  const withoutShebang = text.startsWith('#!') ? text.slice(text.indexOf('\n') + 1) : text;
  const header = /^\s*\/\*\*([\s\S]*?)\*\//.exec(withoutShebang);
  if (header === null) return [`${name}: no module header`];
  const words = header[1].replace(/^\s*\*/gm, '').trim();
  return words.length >= 30 && /[.:;]/.test(words) ? [] : [`${name}: the module header says too little`];
}
