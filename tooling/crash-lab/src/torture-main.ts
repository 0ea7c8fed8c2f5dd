/**
 * The command `torture`: `--seconds N`, `--seed S`. The last line is `L losses in K kills`.
 */
import { parseArgs } from 'node:util';
import { torture } from './torture.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } } });
const seed = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed);
console.log(`torture: seed ${seed}, ${values.seconds} seconds`);
let lastLine = Date.now();
const { killCount, ackCount, losses } = await torture({
  seconds: Number(values.seconds),
  seed,
  progress: (report) => {
    if (Date.now() - lastLine < 60_000) return;
    lastLine = Date.now();
    console.log(`${report.killCount} kills, ${report.ackCount} acknowledged commits, ${report.losses.length} losses`);
  },
});
for (const loss of losses) console.log(`LOSS ${loss}`);
console.log(`${ackCount} commits were acknowledged`);
console.log(`${losses.length} losses in ${killCount} kills`);
process.exit(losses.length === 0 ? 0 : 1);
