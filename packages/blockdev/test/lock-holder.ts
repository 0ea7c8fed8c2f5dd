/**
 * A process that opens a file device, for the tests of the lock.
 *
 * `hold`: says "held", keeps the lock until its input ends. `race <seed>`: takes the lock in a loop for a while; each
 * time it creates a witness file that must not exist, and removes it before it unlocks; with an odd seed it kills
 * itself in some round, holding the lock.
 */
import fs from 'node:fs';
import { LockedError } from '../src/index.ts';
import { openFileDevice } from '../src/node.ts';

const [file, mode, seedText] = process.argv.slice(2) as [string, string, string | undefined];

if (mode === 'hold') {
  const device = openFileDevice(file);
  process.stdout.write('held\n');
  process.stdin.resume();
  process.stdin.on('end', () => device.closeSync());
} else {
  const witness = `${file}.witness`;
  let state = Number(seedText);
  const end = Date.now() + 1500;
  let rounds = 0;
  while (Date.now() < end) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    let device: ReturnType<typeof openFileDevice>;
    try {
      device = openFileDevice(file);
    } catch (error) {
      if (error instanceof LockedError) continue;
      throw error;
    }
    // The witness of a killed holder names a process that is gone; any other one means that two hold the lock.
    try {
      const other = Number(fs.readFileSync(witness, 'utf8'));
      if (!isGone(other)) fs.writeFileSync(`${file}.violation`, `${process.pid} met ${other}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    fs.writeFileSync(witness, String(process.pid));
    if (Number(seedText) % 2 === 1 && (state >>> 8) % 10 === 0 && rounds > 3) process.kill(process.pid, 'SIGKILL');
    rounds++;
    fs.rmSync(witness);
    device.closeSync();
  }
  process.stdout.write(`alone ${rounds}\n`);
}

function isGone(pid: number): boolean {
  try {
    const status = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return /^[ZX]/.test(status.slice(status.lastIndexOf(')') + 2));
  } catch {
    return true;
  }
}
