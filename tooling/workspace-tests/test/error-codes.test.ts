import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codesInUnion, errorCodeFindings } from '../src/error-codes.ts';
import { readPackages, readSourceFiles, workspaceRoot } from '../src/workspace-files.ts';

const source = readFileSync(join(workspaceRoot, 'packages/blockdev/src/errors.ts'), 'utf8');

describe('docs/errors.md', () => {
  it('has a heading for each code, and for nothing else', () => {
    const markdown = readFileSync(join(workspaceRoot, 'docs/errors.md'), 'utf8');
    expect(codesInUnion(source).length).toBeGreaterThan(20);
    expect(errorCodeFindings(source, markdown)).toEqual([]);
  });

  it('tells of no code that nothing throws', () => {
    const files = readPackages().flatMap(readSourceFiles);
    const text = files
      .filter(({ path }) => path.startsWith('src/') && !path.endsWith('errors.ts'))
      .map((file) => file.text)
      .concat(source.slice(source.indexOf('export class')))
      .join('\n');
    expect(codesInUnion(source).filter((code) => !text.includes(`'${code}'`))).toEqual([]);
  });

  it('canary: a missing, an unknown and a doubled heading are found', () => {
    const union = "export type ErrorCode =\n  // Comment.\n  | 'EIO'\n  | 'ENOSPC';";
    expect(errorCodeFindings(union, '## EIO\n\ntext\n\n## ENOSPC\n')).toEqual([]);
    expect(errorCodeFindings(union, '## EIO\n')).toHaveLength(1);
    expect(errorCodeFindings(union, '## EIO\n## ENOSPC\n## EWHAT\n')).toHaveLength(1);
    expect(errorCodeFindings(union, '## EIO\n## ENOSPC\n## EIO\n')).toHaveLength(1);
    expect(() => codesInUnion('export type Other = 1;')).toThrow('ErrorCode');
  });
});
