import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { linkFindings } from '../src/document-links.ts';
import { readmePaths } from '../src/readme-examples.ts';
import { workspaceRoot } from '../src/workspace-files.ts';

describe('links in documents', () => {
  const docs = readdirSync(join(workspaceRoot, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`);
  for (const path of [...readmePaths(), ...docs].filter((entry) => existsSync(join(workspaceRoot, entry)))) {
    it(`${path}: all lead somewhere`, () => {
      expect(linkFindings(workspaceRoot, path, readFileSync(join(workspaceRoot, path), 'utf8'))).toEqual([]);
    });
  }

  it('canary: a missing file, a missing heading and a way out of the workspace are found', () => {
    const find = (markdown: string): string[] => linkFindings(workspaceRoot, 'docs/canary.md', markdown);
    expect(find('[a](nowhere.md)')).toHaveLength(1);
    expect(find('# One\n\n[a](#two)')).toHaveLength(1);
    expect(find('[a](../../outside.md)')).toHaveLength(1);
    expect(find('[a](errors.md#no-such-code)')).toHaveLength(1);
    expect(
      find('# The `one`, two\n\n[a](#the-one-two) [b](errors.md#eio) [c](../README.md) [d](mailto:x@y.example)'),
    ).toEqual([]);
    expect(find('```md\n[a](nowhere.md)\n```\n')).toEqual([]);
  });
});
