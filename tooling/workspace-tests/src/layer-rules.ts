/**
 * The rules between packages: who may import whom, how, and what a manifest must say about it.
 *
 * - A core package imports only core packages below it; applications import core packages, never each other.
 * - Another package is imported by its name and one of its `exports`, never by a path into it.
 * - Published code imports exactly what `dependencies` names; tests and benchmarks also what `devDependencies` names.
 *
 * Each rule is a function from files to findings (one sentence each), so that a test can show it a violation.
 */
import { builtinModules } from 'node:module';
import { scanModule } from './module-scan.ts';
import { layerOrder, type Manifest, type SourceFile, type WorkspacePackage } from './workspace-files.ts';

const builtins = new Set(builtinModules);

/** The package part of a specifier: `@outwrite/volume` of `@outwrite/volume/node`; null for paths and Node's own. */
export function packageOf(specifier: string): string | null {
  if (specifier.startsWith('.') || specifier.startsWith('node:') || specifier.startsWith('(')) return null;
  const parts = specifier.split('/');
  const name = specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0];
  return builtins.has(name) ? null : name;
}

function isPublishedSource(file: SourceFile): boolean {
  return file.path.startsWith('src/') && !file.path.endsWith('.test.ts');
}

/** Imports of packages of this workspace that point upwards, sideways or past the `exports`. */
export function layeringFindings(
  files: readonly SourceFile[],
  manifests: ReadonlyMap<string, Manifest>,
  order: readonly string[] = layerOrder,
): string[] {
  const findings: string[] = [];
  for (const file of files) {
    const ownLayer = order.indexOf(file.packageName);
    for (const specifier of scanModule(file.path, file.text).specifiers) {
      const where = `${file.packageName}/${file.path} imports ${specifier}`;
      if (specifier.startsWith('.')) {
        if (leavesPackage(file.path, specifier) && !isSharedTestSetting(file, specifier)) {
          findings.push(`${where}: a path out of its package`);
        }
        continue;
      }
      const target = packageOf(specifier);
      if (target === null || !manifests.has(target)) continue;
      const exportKey = `.${specifier.slice(target.length)}`;
      if (manifests.get(target)?.exports?.[exportKey] === undefined) {
        findings.push(`${where}: the package does not export ${exportKey}`);
      }
      if (!isPublishedSource(file) || target === file.packageName) continue;
      const targetLayer = order.indexOf(target);
      if (ownLayer !== -1 && targetLayer === -1)
        findings.push(`${where}: a core package imports a tool or an application`);
      if (ownLayer !== -1 && targetLayer >= ownLayer) findings.push(`${where}: the layer above`);
      if (ownLayer === -1 && targetLayer === -1 && target !== '@outwrite/testkit') {
        findings.push(`${where}: applications and tools do not import each other`);
      }
    }
  }
  return findings;
}

function leavesPackage(path: string, specifier: string): boolean {
  let depth = path.split('/').length - 1;
  for (const part of specifier.split('/')) {
    if (part === '..') depth--;
    if (depth < 0) return true;
    if (part !== '..' && part !== '.') depth++;
  }
  return false;
}

/** The configuration of a test project takes its settings from `tooling/vitest`, before any package can be resolved. */
function isSharedTestSetting(file: SourceFile, specifier: string): boolean {
  return file.path === 'vitest.config.ts' && specifier.endsWith('/vitest/project.ts');
}

/** Differences between what a package imports and what its manifest declares. */
export function dependencyFindings(workspacePackage: WorkspacePackage, files: readonly SourceFile[]): string[] {
  const { manifest, name } = workspacePackage;
  const runtime = new Set([
    ...Object.keys(manifest.dependencies ?? {}),
    ...Object.keys(manifest.optionalDependencies ?? {}),
  ]);
  const development = new Set(Object.keys(manifest.devDependencies ?? {}));
  const usedAtRuntime = new Set<string>();
  const usedAnywhere = new Set<string>();
  const findings: string[] = [];
  for (const file of files) {
    for (const specifier of scanModule(file.path, file.text).specifiers) {
      const target = packageOf(specifier);
      if (target === null || target === name) continue;
      usedAnywhere.add(target);
      const published = isPublishedSource(file);
      if (published) usedAtRuntime.add(target);
      if (!runtime.has(target) && (published || !development.has(target))) {
        findings.push(`${name}/${file.path} imports ${target}, which the manifest does not declare for it`);
      }
    }
  }
  for (const declared of Object.keys(manifest.dependencies ?? {})) {
    if (usedAtRuntime.has(declared) || isNamedAsTool(declared, files)) continue;
    findings.push(`${name} declares the dependency ${declared} and does not import it`);
  }
  for (const declared of development) {
    const typesOf = declared.startsWith('@types/') ? declared.slice('@types/'.length) : declared;
    if (usedAnywhere.has(declared) || usedAnywhere.has(typesOf) || isNamedAsTool(declared, files)) continue;
    findings.push(`${name} declares the devDependency ${declared} and does not import it`);
  }
  return findings;
}

/** A tool may also be started by its path, or handed to Node by its name. */
function isNamedAsTool(declared: string, files: readonly SourceFile[]): boolean {
  const resolved = [`resolve('${declared}')`, `resolve?.('${declared}')`, `resolve('${declared}/`];
  return files.some(
    ({ text }) => text.includes(`/node_modules/${declared}/`) || resolved.some((call) => text.includes(call)),
  );
}

/** What every published manifest has to say. */
export function manifestFindings(workspacePackage: WorkspacePackage): string[] {
  const { manifest, name, folder } = workspacePackage;
  const findings: string[] = [];
  const require = (condition: boolean, text: string): void => {
    if (!condition) findings.push(`${name}: ${text}`);
  };
  if (folder.startsWith('tooling/')) {
    require(manifest.private === true, 'a tool is private');
    return findings;
  }
  if (manifest.private === true) return findings;
  require(manifest.license === 'MIT', 'the licence is MIT');
  require((manifest.description ?? '').length > 20, 'a description is missing');
  require(manifest.publishConfig?.access === 'public', 'publishConfig.access is public');
  require(manifest.files?.includes('dist') === true && manifest.files.includes('src'), 'dist and src are published');
  if (!layerOrder.includes(name)) return findings;
  require(manifest.sideEffects === false, 'sideEffects is false');
  for (const [key, target] of Object.entries(manifest.exports ?? {})) {
    if (key === './package.json') continue;
    const conditions = typeof target === 'object' && target !== null ? Object.keys(target) : [];
    require(conditions.join() ===
      '@outwrite/source,types,default', `export ${key} has the conditions @outwrite/source, types, default in this order`);
  }
  return findings;
}
