/**
 * Makes a checkout ready to run: dependencies as locked, everything built. Quick when nothing changed.
 *
 * Needs Node and npm only: the pinned pnpm (field `packageManager`) is fetched through npx when it is not installed.
 * Installing is skipped while the stamp in node_modules names the same lockfile and manifests; building is `tsc -b`,
 * which itself skips what is up to date. `npm run demo`, `npm test` and the other root scripts start with this.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampPath = join(root, 'node_modules', '.outwrite-setup');
const minimumNode = [20, 19];

function fail(message) {
  console.error(`setup: ${message}`);
  process.exit(1);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [needMajor, needMinor] = minimumNode;
  if (major < needMajor || (major === needMajor && minor < needMinor)) {
    fail(`Node ${minimumNode.join('.')} or newer is needed, this is ${process.versions.node}`);
  }
}

/** The manifests and the lockfile: what an installation is made from. */
function installationHash() {
  const hash = createHash('sha256');
  const manifests = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'];
  for (const folder of ['packages', 'apps', 'tooling']) {
    for (const entry of readdirSync(join(root, folder)).sort()) {
      const manifest = join(folder, entry, 'package.json');
      if (existsSync(join(root, manifest))) manifests.push(manifest);
    }
  }
  for (const manifest of manifests)
    hash
      .update(manifest)
      .update('\0')
      .update(readFileSync(join(root, manifest)));
  return hash.digest('hex');
}

function run(command, commandArguments, options = {}) {
  // On Windows npx and npm are scripts that only a shell can start.
  const shell = process.platform === 'win32';
  return spawnSync(command, commandArguments, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell,
    ...options,
  });
}

/** The command that starts the pinned pnpm: the installed one if it is that version, otherwise npx. */
function pinnedPnpm() {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const version = packageManager.slice('pnpm@'.length);
  const installed = run('pnpm', ['--version'], { stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' });
  if (installed.status === 0 && installed.stdout.trim() === version) return ['pnpm'];
  return ['npx', '--yes', packageManager];
}

function install() {
  const wanted = installationHash();
  if (existsSync(stampPath) && readFileSync(stampPath, 'utf8') === wanted) return;
  const [command, ...first] = pinnedPnpm();
  console.log('setup: installing dependencies');
  const result = run(command, [...first, 'install', '--frozen-lockfile']);
  if (result.status !== 0) fail(`installing dependencies failed (${[command, ...first].join(' ')} install)`);
  writeFileSync(stampPath, wanted);
}

function build() {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const result = run(process.execPath, [compiler, '-b', 'tsconfig.build.json'], { shell: false });
  if (result.status !== 0) fail('the build failed; the messages above say where');
}

checkNode();
install();
if (!process.argv.includes('--no-build')) build();
