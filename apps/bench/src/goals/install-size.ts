/**
 * What an installation of the core costs: scripts that run, and the size of `volume` with everything below it, bundled and minified.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const PACKAGES_FOLDER = fileURLToPath(new URL('../../../../packages/', import.meta.url));
const CORE_PACKAGES = ['blockdev', 'buffer-cache', 'alloc-log', 'btree-cow', 'filemap', 'volume'];
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall'];

interface Manifest {
  readonly scripts?: Record<string, string>;
}

/** The install scripts of core packages, as `package: script`; none is expected. */
export function installScripts(): string[] {
  return CORE_PACKAGES.flatMap((name) => {
    const manifest = JSON.parse(readFileSync(join(PACKAGES_FOLDER, name, 'package.json'), 'utf8')) as Manifest;
    return INSTALL_SCRIPTS.filter((script) => manifest.scripts?.[script] !== undefined).map(
      (script) => `${name}: ${script}`,
    );
  });
}

export interface BundleSize {
  readonly minifiedBytes: number;
  readonly compressedBytes: number;
}

/** Size of the minified bundle of all that `@outwrite/volume` exports, or why there is none. */
export async function bundleSize(): Promise<BundleSize | string> {
  const entry = join(PACKAGES_FOLDER, 'volume', 'src', 'index.ts');
  if (!existsSync(entry)) return 'there is no volume yet';
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    conditions: ['@outwrite/source'],
    logLevel: 'silent',
  }).catch((error: Error) => error);
  if (result instanceof Error) return `bundling failed: ${result.message.split('\n')[0]}`;
  const bundle = Buffer.concat(result.outputFiles.map((file) => file.contents));
  return { minifiedBytes: bundle.length, compressedBytes: gzipSync(bundle, { level: 9 }).length };
}
