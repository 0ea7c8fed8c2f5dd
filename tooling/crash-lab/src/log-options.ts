/**
 * The options of a log under test, from the settings of a scenario.
 */
import type { FormatOptions, LogTuning } from '@outwrite/alloc-log';
import type { Random } from '@outwrite/testkit';
import type { Settings } from './layer.ts';

export function logOptions(settings: Settings, random: Random): LogTuning {
  return {
    cacheBytes: settings.cacheBytes,
    bounds: settings.bounds,
    randomBytes: (length) => random.bytes(length),
  };
}

/** As `logOptions`, with what is decided when the log is formatted. */
export function formatOptions(settings: Settings, random: Random): FormatOptions {
  return {
    ...logOptions(settings, random),
    blockSize: settings.blockBytes,
    maxBytes: settings.maxBlocks * settings.blockBytes,
  };
}
