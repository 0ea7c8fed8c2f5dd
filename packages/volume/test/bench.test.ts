/** The benchmarks run, in miniature, so that they cannot rot. */
import { expect, it } from 'vitest';
import { benchSmallFiles } from '../bench/small-files.ts';

it('the benchmark of small files measures every verb', () => {
  const figures = benchSmallFiles({ files: 60, directories: 3, sizeBytes: 1024, rounds: 1 });
  expect(figures.map((figure) => figure.verb)).toEqual(['create', 'stat', 'read', 'list', 'rename', 'unlink']);
  for (const { volume, folder } of figures) {
    expect(volume).toBeGreaterThan(0);
    expect(folder).toBeGreaterThan(0);
  }
});
