/**
 * Runs the examples in the READMEs: each fenced block of TypeScript whose first line is `// example` is a whole program.
 *
 * An example is written to a file inside this package (all packages resolve from here), type-checked with the rest, and
 * run in a process of its own in an empty folder. It passes when the process ends with code 0, so it has to check itself.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { workspaceRoot } from './workspace-files.ts';

export interface ReadmeExample {
  /** The README it stands in and its place among the examples there: `packages/volume/README.md 1`. */
  readonly name: string;
  readonly text: string;
}

const examplesFolder = join(workspaceRoot, 'tooling', 'workspace-tests', '.examples');
const fencedBlock = /^```ts\n(\/\/ example\b[\s\S]*?)^```$/gm;

/** The READMEs of the workspace, by path from its root. */
export function readmePaths(): string[] {
  const paths = ['README.md'];
  for (const group of ['packages', 'apps']) {
    for (const entry of readdirSync(join(workspaceRoot, group)).sort()) paths.push(`${group}/${entry}/README.md`);
  }
  return paths;
}

/** The examples in one text. */
export function examplesIn(readmePath: string, text: string): ReadmeExample[] {
  return [...text.matchAll(fencedBlock)].map((match, index) => ({
    name: `${readmePath} ${index + 1}`,
    text: match[1],
  }));
}

/** The examples of a README; none if it does not exist. */
export function readExamples(readmePath: string): ReadmeExample[] {
  try {
    return examplesIn(readmePath, readFileSync(join(workspaceRoot, readmePath), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function writeExample(example: ReadmeExample): string {
  mkdirSync(examplesFolder, { recursive: true });
  const path = join(examplesFolder, `${example.name.replace(/[^a-zA-Z0-9]+/g, '-')}.ts`);
  writeFileSync(path, example.text);
  return path;
}

export interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

/** Runs one example; `status` 0 means that it passed. */
export function runExample(example: ReadmeExample): Outcome {
  const path = writeExample(example);
  const folder = mkdtempSync(join(tmpdir(), 'outwrite-example-'));
  try {
    const loader = import.meta.resolve?.('tsx') ?? 'tsx';
    const result = spawnSync(process.execPath, ['--conditions=@outwrite/source', '--import', loader, path], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 50_000,
    });
    return { status: result.status, output: result.stdout + result.stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Type-checks examples together; `status` 0 means that all of them are right. */
export function checkExampleTypes(examples: readonly ReadmeExample[]): Outcome {
  const files = examples.map(writeExample);
  const project = join(examplesFolder, 'tsconfig.json');
  const options = { noUnusedLocals: false, incremental: false, allowImportingTsExtensions: true };
  writeFileSync(project, JSON.stringify({ extends: '../../tsconfig/test.json', compilerOptions: options, files }));
  const compiler = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
  const result = spawnSync(process.execPath, [compiler, '-p', project], { encoding: 'utf8' });
  return { status: result.status, output: result.stdout + result.stderr };
}
