/**
 * The command `fuzz`: `--seconds N`, `--seed S`, `--only I` (one image of the seed). The last line is `E escapes in M images`.
 */
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz/fuzz.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' }, only: { type: 'string' } },
});
const seed = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed);
console.log(`fuzz: seed ${seed}, ${values.seconds} seconds`);
let lastLineMs = Date.now();
const { imageCount, escapes } = await fuzz({
  seconds: Number(values.seconds),
  seed,
  ...(values.only === undefined ? {} : { only: Number(values.only) }),
  progress: (report) => {
    if (Date.now() - lastLineMs < 60_000) return;
    lastLineMs = Date.now();
    console.log(`${report.imageCount} images, ${report.escapes.length} escapes`);
  },
});
for (const line of escapes) console.log(`ESCAPE ${line}`);
console.log(`${escapes.length} escapes in ${imageCount} images`);
process.exit(escapes.length === 0 ? 0 : 1);
