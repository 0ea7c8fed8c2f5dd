/**
 * Core packages run on every host: no module of Node and no global that only Node has, outside an entry named `node`.
 *
 * Two checks that fail apart: `hostFindings` reads the sources, `runOnBareHost` bundles an entry and runs it in a context
 * that has the language and what `tooling/tsconfig/host.d.ts` names, and nothing else.
 */
import { type Context, createContext, Script } from 'node:vm';
import { build } from 'esbuild';
import { packageOf } from './layer-rules.ts';
import { scanModule } from './module-scan.ts';
import { layerOrder, type SourceFile, workspaceRoot } from './workspace-files.ts';

const nodeOnlyGlobals = [
  'Buffer',
  'process',
  'global',
  'require',
  'module',
  'setImmediate',
  'clearImmediate',
  '__dirname',
  '__filename',
];

/** Whether a file belongs to an entry that may use Node. */
function mayUseNode(path: string): boolean {
  return path === 'src/node.ts' || path.startsWith('src/node/');
}

/** Uses of Node in the published sources of core packages. */
export function hostFindings(files: readonly SourceFile[]): string[] {
  const findings: string[] = [];
  for (const file of files) {
    if (!layerOrder.includes(file.packageName) || !file.path.startsWith('src/') || mayUseNode(file.path)) continue;
    const { specifiers, unboundNames } = scanModule(file.path, file.text);
    for (const specifier of specifiers) {
      if (!specifier.startsWith('.') && packageOf(specifier) === null) {
        findings.push(`${file.packageName}/${file.path} imports ${specifier}`);
      }
      if (/\/node(?:\/|\.ts$|$)/.test(specifier)) {
        findings.push(`${file.packageName}/${file.path} imports ${specifier}, an entry for Node`);
      }
    }
    for (const name of nodeOnlyGlobals) {
      if (unboundNames.has(name)) findings.push(`${file.packageName}/${file.path} uses the global ${name}`);
    }
  }
  return findings;
}

/** The globals of host.d.ts; everything else that the context has is the language itself. */
function bareContext(): Context {
  const context = createContext({ setTimeout, clearTimeout, queueMicrotask, performance, crypto, TextDecoder });
  // An array that an encoder makes has to be of the context's own kind, as it is on a real host.
  const encoder = new TextEncoder();
  const hostEncoder = { encode: encoder.encode.bind(encoder), encodeInto: encoder.encodeInto.bind(encoder) };
  const define = new Script(`(host) => {
    globalThis.TextEncoder = class TextEncoder {
      encode(text) { return new Uint8Array(host.encode(text)); }
      encodeInto(text, target) { return host.encodeInto(text, target); }
    };
  }`);
  define.runInContext(context)(hostEncoder);
  return context;
}

/**
 * Bundles `program` (a module that may import workspace packages) and runs it on a bare host.
 *
 * Resolves to what the program's export `result` holds (a promise is awaited). Rejects if a module of Node is imported
 * anywhere below, or if running it reads a global that is not there.
 */
export async function runOnBareHost(program: string): Promise<unknown> {
  const bundle = await build({
    stdin: { contents: program, resolveDir: `${workspaceRoot}/tooling/workspace-tests`, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'program',
    platform: 'neutral',
    target: 'es2023',
    conditions: ['@outwrite/source'],
    logLevel: 'silent',
  });
  return new Script(`${bundle.outputFiles[0].text}\nprogram.result`).runInContext(bareContext());
}
