/**
 * What the workspace consists of: its packages with their manifests, and the source files in them.
 *
 * Every structural test starts from these two lists, so that a new package or file is held to the rules without being
 * named anywhere. Built output and dependencies are left out.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The top folder of the checkout. */
export const workspaceRoot: string = fileURLToPath(new URL('../../..', import.meta.url));

/** The core packages from the lowest to the highest; each may import only those before it. */
export const layerOrder: readonly string[] = [
  '@outwrite/blockdev',
  '@outwrite/buffer-cache',
  '@outwrite/alloc-log',
  '@outwrite/btree-cow',
  '@outwrite/filemap',
  '@outwrite/volume',
];

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly license?: string;
  readonly description?: string;
  readonly sideEffects?: boolean;
  readonly files?: readonly string[];
  readonly publishConfig?: { readonly access?: string };
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface WorkspacePackage {
  readonly name: string;
  /** Path from the workspace root, with forward slashes: `packages/blockdev`. */
  readonly folder: string;
  readonly manifest: Manifest;
}

/** One file of a package, as the rules see it. */
export interface SourceFile {
  readonly packageName: string;
  /** Path inside the package, with forward slashes: `src/node/file-device.ts`. */
  readonly path: string;
  readonly text: string;
}

const skippedFolders = new Set(['node_modules', 'dist', '.turbo', '.examples']);
const sourceExtension = /\.(?:ts|mts|mjs|js)$/;

/** All packages below `packages/`, `apps/` and `tooling/`. */
export function readPackages(): WorkspacePackage[] {
  const packages: WorkspacePackage[] = [];
  for (const group of ['packages', 'apps', 'tooling']) {
    for (const entry of readdirSync(join(workspaceRoot, group)).sort()) {
      const folder = `${group}/${entry}`;
      const manifestPath = join(workspaceRoot, folder, 'package.json');
      if (!existsSync(manifestPath)) continue;
      const manifest: Manifest = JSON.parse(readFileSync(manifestPath, 'utf8'));
      packages.push({ name: manifest.name, folder, manifest });
    }
  }
  return packages;
}

/** Every source file of a package, sorted by path. */
export function readSourceFiles(workspacePackage: WorkspacePackage): SourceFile[] {
  const packageFolder = join(workspaceRoot, workspacePackage.folder);
  const files: SourceFile[] = [];
  for (const entry of readdirSync(packageFolder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !sourceExtension.test(entry.name)) continue;
    const path = relative(packageFolder, join(entry.parentPath, entry.name)).split(sep).join('/');
    if (path.split('/').some((part) => skippedFolders.has(part))) continue;
    files.push({
      packageName: workspacePackage.name,
      path,
      text: readFileSync(join(packageFolder, path), 'utf8'),
    });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}
