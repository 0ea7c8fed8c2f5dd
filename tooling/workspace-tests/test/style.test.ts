import { describe, expect, it } from 'vitest';
import { type LongFiles, maximumSourceLines, styleFindings } from '../src/style-rules.ts';
import { readPackages, readSourceFiles, type SourceFile } from '../src/workspace-files.ts';

/** Files beyond the size bound, by `package/path`, each with its reason. */
const longFiles: LongFiles = {};

describe('style', () => {
  const files = readPackages()
    .flatMap(readSourceFiles)
    // This file and the rules name what they look for.
    .filter((file) => file.packageName !== '@outwrite/workspace-tests' || !file.path.includes('style'));

  it('finds files to look at', () => {
    expect(files.length).toBeGreaterThan(20);
  });

  it('every file keeps to it', () => {
    expect(styleFindings(files, longFiles)).toEqual([]);
  });
});

describe('style canaries: each violation is found', () => {
  const header = '/** Keeps the canary alive: a sentence that is long enough to say something. */\n';
  const canary = (path: string, text: string): SourceFile => ({ packageName: 'canary', path, text });
  const violations: [string, SourceFile][] = [
    ['camel case', canary('src/treePath.ts', header)],
    ['an empty name', canary('src/utils.ts', header)],
    ['an empty name as a part', canary('src/tree-helpers.ts', header)],
    ['an empty name of a folder', canary('src/common/tree.ts', header)],
    ['no header', canary('src/tree.ts', 'export const a = 1;\n')],
    ['a header that says nothing', canary('src/tree.ts', '/** Tree. */\nexport const a = 1;\n')],
    ['unfinished work', canary('src/tree.ts', `${header}// ${'TO'}${'DO'}: merge\n`)],
    ['a stub', canary('src/tree.ts', `${header}throw new Error('not implemented');\n`)],
    ['a long file', canary('src/tree.ts', header + 'export {};\n'.repeat(maximumSourceLines))],
  ];
  for (const [name, violation] of violations) {
    it(name, () => {
      expect(styleFindings([violation], {})).toHaveLength(1);
    });
  }

  it('an excuse without a reason, and one that is no longer needed', () => {
    const long = canary('src/tree.ts', header + 'export {};\n'.repeat(maximumSourceLines));
    expect(styleFindings([long], { 'canary/src/tree.ts': 'long' })).toHaveLength(1);
    expect(styleFindings([], { 'canary/src/tree.ts': 'one table of on-disk codes' })).toHaveLength(1);
    expect(styleFindings([long], { 'canary/src/tree.ts': 'one table of on-disk codes' })).toEqual([]);
  });

  it('and what is right is not found', () => {
    expect(styleFindings([canary('src/node/file-lock.ts', header), canary('test/tree-path.test.ts', '')], {})).toEqual(
      [],
    );
  });
});
