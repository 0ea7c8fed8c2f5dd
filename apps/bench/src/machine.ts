/**
 * The machine that a run was made on, as far as it explains the figures. Names no host and no user.
 */
import { existsSync, statfsSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';

export interface MachineDescription {
  readonly processor: string;
  readonly processorCount: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  /** Type of the file system that the durable engines wrote to. */
  readonly fileSystem: string;
  /** Load average of the last minute when the run began: others' work makes figures worthless. */
  readonly loadAtStart: number;
}

// Values of statfs(2)'s f_type.
const FILE_SYSTEM_NAMES: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x9123683e, 'btrfs'],
  [0x58465342, 'xfs'],
  [0x01021994, 'tmpfs'],
  [0x794c7630, 'overlayfs'],
  [0x2fc12fc1, 'zfs'],
  [0x6969, 'nfs'],
]);

/** The type of the file system that holds `folder`; a hexadecimal number where it has no name here. */
export function fileSystemOf(folder: string): string {
  const type = statfsSync(folder).type;
  return FILE_SYSTEM_NAMES.get(type) ?? (type === 0 ? 'unknown' : `0x${type.toString(16)}`);
}

export function describeMachine(folder: string): MachineDescription {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? 'unknown',
    processorCount: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${platform()} ${release()}`,
    node: process.version,
    fileSystem: fileSystemOf(folder),
    loadAtStart: loadavg()[0] ?? 0,
  };
}

/** Where files that live in memory go, or null on a machine without such a file system. */
export function memoryFolder(): string | null {
  const candidate = '/dev/shm';
  return existsSync(candidate) && fileSystemOf(candidate) === 'tmpfs' ? candidate : null;
}
