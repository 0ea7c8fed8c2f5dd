/**
 * Makes better-sqlite3 loadable for the comparison in apps/bench; the other rivals ship their binaries as packages.
 *
 * Installing the workspace runs no install scripts (see pnpm-workspace.yaml), since compiling SQLite takes a minute that
 * only a comparison needs. This runs the package's own script once: it fetches a prebuilt binary, or compiles. If neither
 * works, the benchmark goes on without it and says so.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const benchFolder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'apps', 'bench');
const require = createRequire(join(benchFolder, 'package.json'));

/** In a process of its own: a binary for another version of Node cannot be loaded a second time after a rebuild. */
function loads() {
  const script = "new (require('better-sqlite3'))(':memory:').close()";
  return spawnSync(process.execPath, ['-e', script], { cwd: benchFolder, stdio: 'ignore' }).status === 0;
}

function packageFolder() {
  try {
    return dirname(require.resolve('better-sqlite3/package.json'));
  } catch {
    return null;
  }
}

if (!loads()) {
  const folder = packageFolder();
  if (folder === null) {
    console.log('rivals: better-sqlite3 is not installed; the comparison goes on without it');
  } else {
    console.log('rivals: preparing better-sqlite3 (about a minute if it has to be compiled)');
    const result = spawnSync('npm', ['run', 'install', '--silent'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'ignore'],
      shell: process.platform === 'win32',
    });
    if (result.status !== 0 || !loads()) {
      console.log('rivals: better-sqlite3 could neither be fetched nor compiled; the comparison goes on without it');
    }
  }
}
