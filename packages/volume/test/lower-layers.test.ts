/** What the declarations of the package name of the layers below can be imported from it: programs that install it alone reach nothing else. */
import { MemoryDevice } from '@outwrite/blockdev';
import { expect, it } from 'vitest';
import {
  type BlockDevice,
  type BlockKind,
  type FileMapsStats,
  type LogBounds,
  type LogStats,
  type RecoveryReport,
  Volume,
} from '../src/index.ts';

it('options, results and figures have names', () => {
  const device: BlockDevice = new MemoryDevice();
  const bounds: Partial<LogBounds> = { logBlocks: 8 };
  const volume = Volume.create(device, { bounds });
  const recovery: RecoveryReport | null = volume.recovery;
  const bytesWritten: LogStats['bytesWritten'] = volume.stats().bytesWritten;
  const files: FileMapsStats = volume.stats().files;
  const kinds = Object.keys(bytesWritten) as BlockKind[];
  expect([recovery, typeof files]).toEqual([null, 'object']);
  expect(kinds).toContain('leaf');
});
