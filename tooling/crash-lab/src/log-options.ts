/**
 * The options of a log under test, from the settings of a scenario.
 */
import type { LogTuning } from '@outwrite/alloc-log';
import type { Random } from '@outwrite/testkit';
import type { Settings } from './layer.ts';

export function logOptions(settings: Settings, random: Random): LogTuning {
  return {
    cacheBytes: settings.cacheBytes,
    bounds: settings.bounds,
    randomBytes: (length) => random.bytes(length),
  };
}
