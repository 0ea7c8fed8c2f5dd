/**
 * Lessons from the ancestor (docs: Tux3's faults), those that names and inodes can show.
 */
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { crashPointsOf } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';
import { LastingDevice } from './lasting-device.ts';

const tuning = { autoCommitMilliseconds: 0 };

describe.each([512, 4096])('blocks of %i bytes', (blockSize) => {
  function make(): { device: LastingDevice; volume: Volume } {
    const device = new LastingDevice({ maxSizeBytes: 128 << 20 });
    return { device, volume: Volume.create(device, { ...tuning, blockSize }) };
  }

  it('lesson 7: a file is deleted right across a checkpoint', () => {
    const { device, volume } = make();
    const content = new Uint8Array(50 * blockSize).fill(7);
    const free = volume.stats().space.freeBlocks;
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 20; i++) volume.fs.writeFileSync(`/f${i}`, i % 2 === 0 ? content : 'small');
      volume.checkpointSync();
      for (let i = 0; i < 20; i += 3) volume.fs.unlinkSync(`/f${i}`);
      volume.checkpointSync();
      for (let i = 0; i < 20; i++) volume.fs.rmSync(`/f${i}`, { force: true });
      volume.commitSync();
      volume.checkpointSync();
      expect([...volume.check()]).toEqual([]);
    }
    volume.checkpointSync();
    volume.checkpointSync();
    expect(volume.fs.readdirSync('/')).toEqual([]);
    expect(volume.stats().space.freeBlocks).toBeGreaterThan(free - 100);
    volume.closeSync();
    const again = Volume.open(device, tuning);
    expect(again.stats().inodeCount).toBe(1);
    expect([...again.check()]).toEqual([]);
  });

  it('lesson 8: creating and deleting in a loop leaks nothing', () => {
    const { volume } = make();
    const used = (): number => {
      for (let i = 0; i < 3; i++) {
        volume.fs.chmodSync('/', 0o755);
        volume.checkpointSync();
      }
      return volume.stats().space.usedBlocks;
    };
    const before = used();
    for (let round = 0; round < 10; round++) {
      volume.fs.mkdirSync('/d');
      volume.fs.writeFileSync('/d/large', new Uint8Array(300_000));
      volume.fs.writeFileSync('/d/small', 'x');
      volume.fs.setxattrSync('/d/small', 'user.large', new Uint8Array(20_000));
      volume.fs.symlinkSync('t'.repeat(1000), '/d/link');
      if (round % 2 === 0) volume.commitSync();
      if (round % 3 === 0) volume.checkpointSync();
      volume.fs.rmSync('/d', { recursive: true });
    }
    expect(used()).toBe(before);
    expect([...volume.check()]).toEqual([]);
  });

  it('lesson 14: what is freed while a checkpointing delta is staged is freed after a crash, too', async () => {
    const device = new SimulatedDevice({ maxSizeBytes: 128 << 20 });
    const volume = Volume.create(device, { ...tuning, blockSize });
    const content = (round: number): Uint8Array => new Uint8Array(20 * blockSize).fill(round);
    for (let i = 0; i < 6; i++) volume.fs.writeFileSync(`/f${i}`, content(0));
    volume.checkpointSync();
    for (let round = 1; round <= 4; round++) {
      // Dirty pages, names and inodes: their old places are given up by the staging of the checkpoint itself.
      for (let i = 0; i < 6; i++) {
        const descriptor = volume.fs.openSync(`/f${i}`, 'r+');
        for (let at = 0; at < 20; at += 3) volume.fs.writeSync(descriptor, content(round), 0, 10, at * blockSize);
        volume.fs.closeSync(descriptor);
      }
      volume.fs.renameSync(`/f${round}`, `/renamed ${round}`);
      volume.fs.writeFileSync(`/f${round}`, content(round));
      volume.checkpointSync();
      device.note(round);
    }
    const report = await crashPointsOf(
      device.trace,
      ({ device: crashed, notes }) => {
        if (notes.length === 0) return;
        const again = Volume.open(crashed, tuning);
        expect([...again.check()]).toEqual([]);
        for (let round = 1; round <= (notes.at(-1) as number); round++)
          expect(again.fs.existsSync(`/renamed ${round}`)).toBe(true);
        // One more, and nothing has leaked on the way.
        for (let i = 0; i < 6; i++) again.fs.writeFileSync(`/f${i}`, content(9));
        again.checkpointSync();
        expect([...again.check()]).toEqual([]);
      },
      { seed: 14, pieceBytes: blockSize, maxPieces: 2, samples: 1, maxStates: 60 },
    );
    expect(report.stateCount).toBeGreaterThan(30);
  });

  it('lesson 21: rename within one directory, across a delta that is being written', async () => {
    const { volume } = make();
    for (let i = 0; i < 40; i++) volume.fs.writeFileSync(`/n${i}`, `${i}`);
    const names = new Map(Array.from({ length: 40 }, (_, index) => [`n${index}`, `${index}`]));
    for (let round = 0; round < 60; round++) {
      const committed = volume.commit();
      const from = `n${(round * 7) % 40}`;
      const to = round % 3 === 0 ? `n${(round * 11) % 40}` : `m${round}`;
      await Promise.resolve();
      if (names.has(from) && from !== to) {
        volume.fs.renameSync(`/${from}`, `/${to}`);
        names.set(to, names.get(from) as string);
        names.delete(from);
      }
      if (round % 4 === 0) await committed;
      expect(volume.fs.readdirSync('/')).toEqual([...names.keys()].sort());
      for (const [name, content] of names) expect(volume.fs.readFileSync(`/${name}`, 'utf8')).toBe(content);
    }
    await volume.commit();
    expect([...volume.check()]).toEqual([]);
    await volume.close();
  });

  it('lesson 24: sparse inode numbers', () => {
    const { device, volume } = make();
    // Most of what is made goes again, so the numbers that stay have wide gaps.
    for (let i = 0; i < 600; i++) {
      volume.fs.writeFileSync(`/f${i}`, 'x'.repeat(i % 300));
      if (i % 50 === 49) volume.commitSync();
    }
    for (let i = 0; i < 600; i++) if (i % 37 !== 0) volume.fs.unlinkSync(`/f${i}`);
    volume.checkpointSync();
    for (let i = 600; i < 700; i++) volume.fs.writeFileSync(`/f${i}`, `${i}`);
    volume.closeSync();
    const again = Volume.open(device, tuning);
    for (let i = 0; i < 600; i++) expect(again.fs.existsSync(`/f${i}`), `/f${i}`).toBe(i % 37 === 0);
    for (let i = 0; i < 600; i += 37) expect(again.fs.statSync(`/f${i}`).size).toBe(i % 300);
    expect([...again.check()]).toEqual([]);
  });

  it('lesson 25: what is deleted and created in one delta is not mistaken for its predecessor', () => {
    const { device, volume } = make();
    volume.fs.writeFileSync('/name', 'first');
    volume.fs.setxattrSync('/name', 'user.old', 'x');
    volume.fs.chmodSync('/name', 0o600);
    const before = volume.fs.statSync('/name').ino;
    volume.commitSync();
    volume.fs.unlinkSync('/name');
    volume.fs.writeFileSync('/name', 'second, longer');
    const after = volume.fs.statSync('/name');
    expect(after.ino, 'numbers are never used again').toBeGreaterThan(before);
    expect(after.mode & 0o777).toBe(0o644);
    expect(volume.fs.listxattrSync('/name')).toEqual([]);
    volume.fs.unlinkSync('/name');
    volume.fs.mkdirSync('/name');
    volume.fs.rmdirSync('/name');
    volume.fs.writeFileSync('/name', '3');
    volume.closeSync();
    const again = Volume.open(device, tuning);
    expect(again.fs.readFileSync('/name', 'utf8')).toBe('3');
    expect(again.fs.listxattrSync('/name')).toEqual([]);
    again.fs.writeFileSync('/other', '');
    expect(again.fs.statSync('/other').ino).toBeGreaterThan(again.fs.statSync('/name').ino);
    expect([...again.check()]).toEqual([]);
  });

  it('lesson 27: a delta boundary between any two steps of an operation, and at any of its reads, changes nothing', async () => {
    // Commits run at every turn of the event loop while operations, synchronous and not, follow each other.
    const device = new SimulatedDevice({ maxSizeBytes: 128 << 20, trace: false });
    const volume = Volume.create(device, { ...tuning, blockSize });
    let running = true;
    const committing = (async () => {
      for (let i = 0; running; i++) {
        if (i % 10 === 9) await volume.checkpoint();
        else await volume.commit();
        await Promise.resolve();
      }
    })();
    const large = new Uint8Array(300_000).map((_, index) => index);
    const { promises: fs } = volume.fs;
    await Promise.all(
      Array.from({ length: 4 }, async (_, worker) => {
        const base = `/w${worker}`;
        await fs.mkdir(base);
        for (let i = 0; i < 25; i++) {
          await fs.writeFile(`${base}/small`, `${i}`);
          await fs.writeFile(`${base}/large`, large.subarray(0, 300_000 - i));
          await fs.rename(`${base}/small`, `${base}/renamed`);
          await fs.link(`${base}/renamed`, `${base}/second`);
          await fs.unlink(`${base}/renamed`);
          expect(await fs.readFile(`${base}/second`, 'utf8')).toBe(`${i}`);
          expect((await fs.readFile(`${base}/large`)).length).toBe(300_000 - i);
          await fs.rename(`${base}/second`, `${base}/small`);
        }
        await fs.rm(base, { recursive: true });
      }),
    );
    running = false;
    await committing;
    expect([...volume.check()]).toEqual([]);
    expect(volume.stats().inodeCount).toBe(1);
    await volume.close();
  });
});
