/**
 * Bundles a worker of the lab with the sources of all layers, with a mutant in them or without: one text that a worker thread runs.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { type Mutant, mutate } from './mutation.ts';

const sourceFolder = dirname(fileURLToPath(import.meta.url));

export const workspaceRoot: string = join(sourceFolder, '..', '..', '..');

/**
 * The bundled text of `entry` (a file of this folder), with each mutant in its file. Throws when a place is not found or a file is not part
 * of it.
 */
export async function bundleWorker(entry: string, mutants: readonly Mutant[] = []): Promise<string> {
  const byPath = new Map(mutants.map((mutant) => [join(workspaceRoot, mutant.file), mutant]));
  const missing = new Set(mutants);
  const plugin: Plugin = {
    name: 'mutant',
    setup(setup) {
      if (mutants.length === 0) return;
      setup.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const mutant = byPath.get(path);
        if (mutant === undefined) return undefined;
        const contents = mutate(mutant, await readFile(path, 'utf8'));
        missing.delete(mutant);
        return { contents, loader: 'ts' };
      });
    },
  };
  const result = await build({
    entryPoints: [join(sourceFolder, entry)],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    conditions: ['@outwrite/source'],
    keepNames: true,
    logLevel: 'silent',
    plugins: [plugin],
  });
  for (const { name, file } of missing) throw new Error(`mutant ${name}: ${file} is not part of the lab`);
  return result.outputFiles[0]!.text;
}
