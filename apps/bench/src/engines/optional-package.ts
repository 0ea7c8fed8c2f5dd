/**
 * Rivals come in packages that need not be installed: they are loaded by name when they are wanted, and each engine declares the part
 * of its package that it uses, so that neither building nor running the bench depends on them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Imports a package; rejects with what its loading throws. `Module` is the caller's description of it. */
export async function importOptional<Module>(name: string): Promise<Module> {
  return (await import(name)) as Module;
}

/** The version of an installed package, also of one that does not export its manifest. Throws where it is not installed. */
export function packageVersion(name: string): string {
  const entry = createRequire(import.meta.url).resolve(name);
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    const path = join(folder, 'package.json');
    if (!existsSync(path)) continue;
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as { name?: string; version?: string };
    if (manifest.name === name && manifest.version !== undefined) return manifest.version;
  }
  throw new Error(`${name}: no manifest above ${entry}`);
}
