/**
 * All mutants in the order of the layers, as the command and the tests go through them.
 */
import type { Mutant } from '../mutation.ts';
import { cacheMutants, checkpointMutants, commitMutants, spaceMutants } from './commit-mutants.ts';
import { openingMutants, recoveryMutants } from './recovery-mutants.ts';
import { fileMutants, treeMutants } from './tree-mutants.ts';

export const mutants: readonly Mutant[] = [
  ...commitMutants,
  ...checkpointMutants,
  ...openingMutants,
  ...recoveryMutants,
  ...spaceMutants,
  ...cacheMutants,
  ...treeMutants,
  ...fileMutants,
];
