/**
 * Everything about the source that is not a behaviour: format, lint, types, layering and style, packaging.
 *
 * Runs every step even after one has failed, then says which did. `--summary FILE` writes the counts as JSON for .ci/run.
 * Packaging packs each published package exactly as a release would and hands the tarball to publint and to
 * are-the-types-wrong (profile `esm-only`: we publish ES modules, and nothing for the resolution of before Node 12). Then
 * all tarballs are installed together with npm in an empty project, where every entry has to load and the command to run.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const binFolder = join(root, 'node_modules', '.bin');
const results = [];

function step(name, command, commandArguments, options = {}) {
  const started = Date.now();
  console.log(`\n== ${name}`);
  const local = join(binFolder, command);
  const result = spawnSync(existsSync(local) ? local : command, commandArguments, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
    ...options,
  });
  const passed = result.status === 0;
  results.push({ name, passed });
  console.log(`${passed ? 'ok' : 'FAILED'}: ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  return passed;
}

function publishedPackages() {
  const found = [];
  for (const folder of ['packages', 'apps']) {
    for (const entry of readdirSync(join(root, folder)).sort()) {
      const manifestPath = join(root, folder, entry, 'package.json');
      if (!existsSync(manifestPath)) continue;
      const manifest = JSON.parse(readFileSync(manifestPath, 'utf8'));
      if (manifest.private !== true) found.push({ name: manifest.name, folder: join(root, folder, entry), manifest });
    }
  }
  return found;
}

function checkPackaging() {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const tarballFolder = mkdtempSync(join(tmpdir(), 'outwrite-pack-'));
  const packages = publishedPackages();
  const tarballs = [];
  try {
    for (const { name, folder, manifest } of packages) {
      const before = new Set(readdirSync(tarballFolder));
      const packArguments = ['--yes', packageManager, 'pack', '--pack-destination', tarballFolder];
      const packed = step(`pack ${name}`, 'npx', packArguments, {
        cwd: folder,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      const tarball = readdirSync(tarballFolder).find((file) => !before.has(file));
      if (!packed || tarball === undefined) continue;
      tarballs.push(join(tarballFolder, tarball));
      step(`publint ${name}`, 'publint', ['--strict', join(tarballFolder, tarball)]);
      // A package that offers only a command has no types to be wrong.
      if (manifest.exports['.'] === undefined) continue;
      step(`attw ${name}`, 'attw', [join(tarballFolder, tarball), '--profile', 'esm-only', '--format', 'ascii']);
    }
    if (tarballs.length === packages.length) checkInstallation(packages, tarballs);
  } finally {
    rmSync(tarballFolder, { recursive: true, force: true });
  }
}

/** Installs the tarballs as a user would and loads what they offer. */
function checkInstallation(packages, tarballs) {
  const project = mkdtempSync(join(tmpdir(), 'outwrite-installed-'));
  try {
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'installed', private: true, type: 'module' }));
    const install = ['install', '--no-audit', '--no-fund', '--loglevel=error', ...tarballs];
    if (!step('install the tarballs', 'npm', install, { cwd: project })) return;
    const entries = packages.flatMap(({ name, manifest }) =>
      Object.keys(manifest.exports)
        .filter((key) => key !== './package.json')
        .map((key) => `${name}${key.slice(1)}`),
    );
    const script = `for (const entry of ${JSON.stringify(entries)}) {
      if (Object.keys(await import(entry)).length === 0) throw new Error(entry + ' exports nothing');
    }`;
    step('installed entries load', process.execPath, ['--input-type=module', '-e', script], { cwd: project });
    step('installed command runs', join(project, 'node_modules', '.bin', 'outwrite'), ['--version'], { cwd: project });
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}

step('format and lint', 'biome', ['ci', '.', '--max-diagnostics=50']);
step('types', 'tsc', ['-b']);
step('layering and style', 'vitest', ['run', '--project', '@outwrite/workspace-tests', '--reporter=dot']);
checkPackaging();

const failed = results.filter((result) => !result.passed);
const summaryIndex = process.argv.indexOf('--summary');
if (summaryIndex !== -1) {
  const summary = { passed: results.length - failed.length, failed: failed.length };
  writeFileSync(process.argv[summaryIndex + 1], JSON.stringify(summary));
}
console.log(`\ncheck: ${results.length - failed.length} of ${results.length} steps passed`);
for (const { name } of failed) console.log(`check: FAILED ${name}`);
process.exit(failed.length === 0 ? 0 : 1);
