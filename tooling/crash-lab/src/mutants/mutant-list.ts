/**
 * All mutants in the order of the layers, as the command and the tests go through them.
 */
import type { Mutant } from '../mutation.ts';
import {
  cacheMutants,
  checkpointMutants,
  commitMutants,
  openingMutants,
  recoveryMutants,
  spaceMutants,
} from './log-mutants.ts';
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
