/** The benchmarks run, in miniature, so that they cannot rot. */
import { describe, expect, it } from 'vitest';
import { benchChecksum } from '../bench/checksum.ts';
import { benchCompare } from '../bench/compare.ts';
import { benchDevices } from '../bench/devices.ts';
import { SMALL_EFFORT, shown } from '../bench/measure.ts';

describe('benchmarks', () => {
  it('run and measure something', async () => {
    const results = [
      ...benchChecksum(SMALL_EFFORT),
      ...benchCompare(SMALL_EFFORT),
      ...(await benchDevices(SMALL_EFFORT)),
    ];
    expect(results.length).toBeGreaterThan(25);
    for (const measurement of results) {
      expect(measurement.nanoseconds, measurement.name).toBeGreaterThan(0);
      expect(shown(measurement)).toContain(measurement.name);
    }
  });
});
