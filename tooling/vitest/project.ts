/**
 * Settings that every test project of the workspace shares: workspace packages resolve to their sources.
 *
 * The condition `@outwrite/source` in the `exports` of our packages leads to `src/*.ts`, so tests need no build.
 */
import { defineProject, type UserWorkspaceConfig } from 'vitest/config';

/** The name of the export condition that leads to TypeScript sources. */
export const sourceCondition = '@outwrite/source';

/** Arguments for a child Node process that runs a TypeScript file of this workspace. */
export const childNodeArguments: readonly string[] = [`--conditions=${sourceCondition}`, '--import', 'tsx'];

/** The vitest project of the package in the current folder. */
export function packageProject(name: string): UserWorkspaceConfig {
  return defineProject({
    resolve: { conditions: [sourceCondition, 'module', 'node', 'development|production'] },
    ssr: { resolve: { conditions: [sourceCondition, 'module', 'node', 'development|production'] } },
    test: {
      name,
      environment: 'node',
      pool: 'forks',
      include: ['test/**/*.test.ts', 'src/**/*.test.ts'],
      testTimeout: 60_000,
      hookTimeout: 60_000,
    },
  });
}
