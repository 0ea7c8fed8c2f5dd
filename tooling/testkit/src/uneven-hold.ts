/**
 * Delays for the asynchronous requests of a simulated device that are drawn at random, so that completions come in many
 * orders.
 */
import type { HeldRequest } from '@outwrite/blockdev/testing';
import type { Random } from './random.ts';

/**
 * A `hold` that lets each request go after up to `maxTurns` turns of the microtask queue. Equal seeds give equal
 * delays.
 */
export function unevenHold(random: Random, maxTurns: number = 20): (request: HeldRequest) => Promise<void> {
  return async () => {
    for (let turns = random.below(maxTurns + 1); turns > 0; turns--) await Promise.resolve();
  };
}
