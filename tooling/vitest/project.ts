/**
 * Settings that every test project of the workspace shares: workspace packages resolve to their sources, checks are on.
 *
 * The condition `@outwrite/source` in the `exports` of our packages leads to `src/*.ts`, so tests need no build.
 */
import { fileURLToPath } from 'node:url';
import { defineProject, type UserWorkspaceConfig } from 'vitest/config';

/** The name of the export condition that leads to TypeScript sources. */
const sourceCondition = '@outwrite/source';

const conditions = [sourceCondition, 'module', 'node', 'development|production'];

/** The vitest project of the package in the current folder. */
export function packageProject(name: string): UserWorkspaceConfig {
  return defineProject({
    resolve: { conditions },
    ssr: { resolve: { conditions } },
    test: {
      name,
      environment: 'node',
      pool: 'forks',
      include: ['test/**/*.test.ts', 'src/**/*.test.ts'],
      setupFiles: [fileURLToPath(new URL('./every-test-file.ts', import.meta.url))],
      testTimeout: 120_000,
      hookTimeout: 120_000,
    },
  });
}
