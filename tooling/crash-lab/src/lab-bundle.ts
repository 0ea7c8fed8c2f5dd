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

/** The bundled text of `entry` (a file of this folder). Throws when the mutant's place is not found or its file is not part of it. */
export async function bundleWorker(entry: string, mutant?: Mutant): Promise<string> {
  let applied = false;
  const plugin: Plugin = {
    name: 'mutant',
    setup(setup) {
      if (mutant === undefined) return;
      const target = join(workspaceRoot, mutant.file);
      setup.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        if (path !== target) return undefined;
        const contents = mutate(mutant, await readFile(path, 'utf8'));
        applied = true;
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
  if (mutant !== undefined && !applied) throw new Error(`mutant ${mutant.name}: ${mutant.file} is not part of the lab`);
  return result.outputFiles[0]!.text;
}
