/**
 * `@outwrite/blockdev/testing`: a simulated device for crash and fault tests, and the conformance suite for anyone's
 * device.
 */
export { blockDeviceConformance, type ConformanceRunner, type ConformanceTarget } from './testing/conformance.ts';
export {
  type CrashImage,
  type CrashKind,
  CrashPoint,
  crashPoints,
  imagesBetweenWrites,
} from './testing/crash-images.ts';
export type { Fault, FaultOperation, OperationCounts } from './testing/fault-plan.ts';
export {
  type FlushInFlight,
  Medium,
  type MediumEvent,
  type PendingState,
  type PendingWrite,
  type PowerCut,
  type SectorFate,
} from './testing/medium.ts';
export { type HeldRequest, SimulatedDevice, type SimulatedDeviceOptions } from './testing/simulated-device.ts';
export { SparseImage } from './testing/sparse-image.ts';
export { Trace, TraceReplay } from './testing/trace.ts';
