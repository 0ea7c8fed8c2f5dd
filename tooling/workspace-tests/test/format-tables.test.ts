import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { constantsOf, formatFindings, formatTables } from '../src/format-tables.ts';
import { workspaceRoot } from '../src/workspace-files.ts';

const tables = formatTables(readFileSync(join(workspaceRoot, 'docs/format.md'), 'utf8'));

describe('docs/format.md', () => {
  it.each([...tables])('agrees with %s', (path, rows) => {
    expect(rows.length).toBeGreaterThan(0);
    expect(formatFindings(rows, constantsOf(join(workspaceRoot, path)))).toEqual([]);
  });

  it('has a table for every file of formats', () => {
    const files = ['alloc-log', 'btree-cow', 'filemap', 'volume'].flatMap((name) =>
      readdirSync(join(workspaceRoot, 'packages', name, 'src'))
        .filter((file) => file.endsWith('-format.ts'))
        .map((file) => `packages/${name}/src/${file}`),
    );
    // The keys of filemap are those of the volume.
    expect(files.filter((file) => !tables.has(file) && file !== 'packages/filemap/src/key-format.ts')).toEqual([]);
  });

  it('names the version in its first line', () => {
    const version = constantsOf(join(workspaceRoot, 'packages/alloc-log/src/superblock-format.ts')).get(
      'FORMAT_VERSION',
    );
    expect(readFileSync(join(workspaceRoot, 'docs/format.md'), 'utf8').split('\n')[0]).toContain(`version ${version}`);
  });

  it('canary: a wrong, an unknown and a missing row are found', () => {
    const folder = mkdtempSync(join(tmpdir(), 'outwrite-format-'));
    try {
      const path = join(folder, 'x-format.ts');
      writeFileSync(
        path,
        'const A_AT = 0;\nexport const B_AT: number = A_AT + 4;\nconst L_LAYOUT = { x: 1, y: 2 * 3 } as const;\n',
      );
      const constants = constantsOf(path);
      expect([...constants]).toEqual([
        ['A_AT', 0],
        ['B_AT', 4],
        ['L_LAYOUT.x', 1],
        ['L_LAYOUT.y', 6],
      ]);
      const right = [...constants].map(([name, value]) => ({ name, value }));
      expect(formatFindings(right, constants)).toEqual([]);
      expect(formatFindings([{ name: 'A_AT', value: 1 }, ...right.slice(1)], constants)).toHaveLength(1);
      expect(formatFindings([...right, { name: 'C_AT', value: 1 }], constants)).toHaveLength(1);
      expect(formatFindings(right.slice(0, -1), constants)).toHaveLength(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
