/**
 * The command `fsx`: one file against an array of bytes, and three actors against a model, for blocks of 512 and 4096 bytes, each with a
 * quarter of the time. `--seconds N`, `--seed S`. The last line is `D differences in N operations`.
 */
import { parseArgs } from 'node:util';
import { setVerification } from '@outwrite/blockdev';
import { Random } from '@outwrite/testkit';
import { runOneFile } from './fsx/one-file.ts';
import { runThreeActors } from './fsx/three-actors.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } } });
const seed = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed);
console.log(`fsx: seed ${seed}, ${values.seconds} seconds`);
setVerification(true);

const partMs = (Number(values.seconds) * 1000) / 4;
let operationCount = 0;
let differenceCount = 0;
for (const blockBytes of [512, 4096]) {
  for (const [name, run] of [
    ['one file', runOneFile],
    ['three actors', runThreeActors],
  ] as const) {
    const end = Date.now() + partMs;
    // A volume of its own for each round, so that a difference repeats soon.
    for (let round = 0; Date.now() < end && differenceCount === 0; round++) {
      const roundEnd = Math.min(end, Date.now() + 20_000);
      const random = new Random(seed).derive(blockBytes, round);
      try {
        operationCount += await run(blockBytes, random, () => Date.now() > roundEnd);
      } catch (error) {
        differenceCount++;
        console.log(
          `DIFFERENCE ${name}, blocks of ${blockBytes}, round ${round} of seed ${seed}: ${(error as Error).stack}`,
        );
      }
    }
    console.log(`${name}, blocks of ${blockBytes} bytes: ${operationCount} operations so far`);
  }
}
console.log(`${differenceCount} differences in ${operationCount} operations`);
process.exit(differenceCount === 0 ? 0 : 1);
