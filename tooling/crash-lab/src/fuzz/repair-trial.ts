/**
 * What is demanded of a repair of a bad image: it ends clean, or refuses with a name for what is in the way and changes nothing.
 */
import { MemoryDevice, OutwriteError } from '@outwrite/blockdev';
import { Volume } from '@outwrite/volume';

/** A device that is asked to grow beyond has run away. */
const MAX_DEVICE_BYTES = 64 << 20;
const CACHE_BYTES = 1 << 20;
const ROOT_LOST = 'it is the root of the tree of files';

/** Null: the volume is clean now. Otherwise why the repair refused: the code of an error, or what is in the way. */
export type Refusal = string | null;

/** Repairs a copy of `image`. Throws an `Error` for a repair that breaks its promise. */
export function tryRepair(image: Uint8Array): Refusal {
  const sizeBytes = image.length - (image.length % 512);
  const device = MemoryDevice.fromImage(image.subarray(0, sizeBytes), { maxSizeBytes: MAX_DEVICE_BYTES });
  const before = device.snapshot();
  const isUnchanged = (): boolean => Buffer.compare(device.snapshot(), before) === 0;
  try {
    const planned = Volume.repair(device, { dryRun: true, cacheBytes: CACHE_BYTES });
    if (!isUnchanged()) throw new Error('a dry run changed something');
    const report = Volume.repair(device, { cacheBytes: CACHE_BYTES });
    if (report.obstacle !== null) {
      if (!isUnchanged()) throw new Error('a repair that refused changed something');
      if (report.obstacle.includes(ROOT_LOST)) giveUpRoot(device);
      return report.obstacle;
    }
    if (report.remaining.length > 0) throw new Error(`not clean: ${textOf(report.remaining)}`);
    if (textOf(report.changes) !== textOf(planned.changes)) throw new Error('a dry run said something else');
  } catch (error) {
    if (!(error instanceof OutwriteError)) throw error;
    if (!isUnchanged()) throw new Error(`a repair that threw changed something: ${error.message}`, { cause: error });
    return `${error.code}: ${error.message}`;
  }
  demandClean(device);
  return null;
}

/** The one refusal that can be overruled. */
function giveUpRoot(device: MemoryDevice): void {
  const report = Volume.repair(device, { acceptRootLoss: true, cacheBytes: CACHE_BYTES });
  if (report.obstacle !== null) throw new Error(`the loss of the root was accepted: ${report.obstacle}`);
  if (report.remaining.length > 0) throw new Error(`not clean without its root: ${textOf(report.remaining)}`);
  demandClean(device);
}

/** What follows must work as on any other volume. */
function demandClean(device: MemoryDevice): void {
  const again = Volume.repair(device, { cacheBytes: CACHE_BYTES });
  if (again.changes.length > 0 || again.obstacle !== null) {
    throw new Error(`a second repair is not content: ${again.obstacle ?? textOf(again.changes)}`);
  }
  const volume = Volume.open(device, { cacheBytes: CACHE_BYTES, autoCommitMilliseconds: 0 });
  try {
    volume.fs.mkdirSync('/made after the repair');
    volume.fs.writeFileSync('/made after the repair/file', new Uint8Array(20_000).fill(7));
  } catch (error) {
    // A superblock with a sound checksum may name any limit.
    if ((error as { code?: unknown }).code !== 'ENOSPC') throw error;
  }
  volume.commitSync();
  const findings = [...volume.check()];
  if (findings.length > 0) throw new Error(`not clean after more work: ${textOf(findings)}`);
  volume.closeSync();
}

function textOf(list: readonly { readonly code: string; readonly message: string }[]): string {
  return list.map(({ code, message }) => `${code}: ${message}`).join('; ');
}
