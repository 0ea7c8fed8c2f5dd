/**
 * `@outwrite/testkit`: seeded randomness, crash enumeration and fault sweeps over simulated devices, for the tests of
 * all packages.
 */
export {
  type CrashCheck,
  type CrashOptions,
  type CrashReport,
  type CrashState,
  CrashViolation,
  type CrashWorkload,
  crashPointsOf,
  everyCrashPoint,
} from './every-crash-point.ts';
export { everyFault, type FaultOutcome, type FaultReport, type FaultSweepOptions } from './every-fault.ts';
export { Random, SEED_VARIABLE, testSeed } from './random.ts';
export { unevenHold } from './uneven-hold.ts';
