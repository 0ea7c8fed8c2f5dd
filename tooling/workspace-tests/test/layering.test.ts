import { describe, expect, it } from 'vitest';
import { dependencyFindings, layeringFindings, manifestFindings } from '../src/layer-rules.ts';
import {
  layerOrder,
  type Manifest,
  readPackages,
  readSourceFiles,
  type SourceFile,
  type WorkspacePackage,
} from '../src/workspace-files.ts';

const packages = readPackages();
const manifests = new Map(packages.map((entry) => [entry.name, entry.manifest]));

function file(packageName: string, text: string, path = 'src/canary.ts'): SourceFile {
  return { packageName, path, text };
}

describe('layering', () => {
  it('knows every core package', () => {
    const cores = packages.filter((entry) => entry.folder.startsWith('packages/')).map((entry) => entry.name);
    expect(cores.sort()).toEqual([...layerOrder].sort());
  });

  for (const workspacePackage of packages) {
    it(`${workspacePackage.name} imports only what lies below it, by name`, () => {
      expect(layeringFindings(readSourceFiles(workspacePackage), manifests)).toEqual([]);
    });

    it(`${workspacePackage.name} declares what it imports, and nothing else`, () => {
      const findings = dependencyFindings(workspacePackage, readSourceFiles(workspacePackage));
      // The examples of the READMEs are run in this package, so it depends on all that they may import.
      const forExamples = layerOrder.map(
        (name) => `@outwrite/workspace-tests declares the dependency ${name} and does not import it`,
      );
      expect(findings.filter((finding) => !forExamples.includes(finding))).toEqual([]);
    });

    it(`${workspacePackage.name} has a complete manifest`, () => {
      expect(manifestFindings(workspacePackage)).toEqual([]);
    });
  }

  it('has a version for all published packages in common', () => {
    const published = packages.filter((entry) => entry.manifest.private !== true);
    expect(new Set(published.map((entry) => entry.manifest.version)).size).toBe(1);
  });
});

describe('layering canaries: each violation is found', () => {
  const violations: [string, SourceFile][] = [
    ['an import of the layer above', file('@outwrite/blockdev', "import { Volume } from '@outwrite/volume';")],
    ['a type-only import of the layer above', file('@outwrite/filemap', "import type { V } from '@outwrite/volume';")],
    ['a re-export of the layer above', file('@outwrite/alloc-log', "export * from '@outwrite/btree-cow';")],
    ['a type taken from the layer above', file('@outwrite/blockdev', "export type V = import('@outwrite/volume').V;")],
    ['an import past the exports', file('@outwrite/volume', "import { x } from '@outwrite/blockdev/src/errors.ts';")],
    ['a path into a neighbour', file('@outwrite/volume', "import { x } from '../../blockdev/src/errors.ts';")],
    ['a core package that imports a tool', file('@outwrite/blockdev', "import { Random } from '@outwrite/testkit';")],
    ['an application that imports another', file('@outwrite/bench', "import x from 'outwrite/package.json';")],
  ];
  for (const [name, violation] of violations) {
    it(name, () => {
      expect(layeringFindings([violation], manifests)).toHaveLength(1);
    });
  }

  it('and what is allowed is not found', () => {
    const allowed = [
      file('@outwrite/volume', "import { assert } from '@outwrite/blockdev'; import './inode.ts';"),
      file('@outwrite/blockdev', "import { Random } from '@outwrite/testkit';", 'test/canary.test.ts'),
      file('@outwrite/blockdev', "// import '@outwrite/volume'\nexport const text = \"import '@outwrite/volume'\";"),
    ];
    expect(layeringFindings(allowed, manifests)).toEqual([]);
  });

  it('an undeclared and an unused dependency', () => {
    const manifest: Manifest = {
      name: 'x',
      version: '1.0.0',
      dependencies: { unused: '1' },
      devDependencies: { dev: '1' },
    };
    const workspacePackage: WorkspacePackage = { name: 'x', folder: 'packages/x', manifest };
    const files = [file('x', "import 'missing'; import 'dev';")];
    expect(dependencyFindings(workspacePackage, files)).toHaveLength(3);
  });

  it('an incomplete manifest', () => {
    const manifest: Manifest = {
      name: layerOrder[0],
      version: '1.0.0',
      exports: { '.': { default: './dist/index.js' } },
    };
    const findings = manifestFindings({ name: layerOrder[0], folder: 'packages/x', manifest });
    expect(findings.length).toBeGreaterThanOrEqual(5);
  });
});
