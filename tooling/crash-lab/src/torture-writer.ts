/**
 * The process that is killed: works on a volume in a file and keeps a journal of what it did and was told, until it dies.
 *
 * Arguments: what is written (see `tortured`), path of the volume, path of the journal, seed.
 */
import { appendFileSync } from 'node:fs';
import { openFileDevice } from '@outwrite/blockdev/node';
import { Random } from '@outwrite/testkit';
import { digestOf, tortured, tortureSettings } from './torture-settings.ts';

const [what, volumePath, journalPath, seed] = process.argv.slice(2) as [string, string, string, string];

async function main(): Promise<void> {
  const random = new Random(Number(seed));
  const { layer, modelOf } = tortured[what]!;
  const subject = layer.open(openFileDevice(volumePath), tortureSettings, { readOnly: false, random });
  const model = modelOf(subject);
  const note = (line: string): void => appendFileSync(journalPath, `${line}\n`);
  note(`S ${subject.openDelta} ${digestOf(model.text())}`);
  for (;;) {
    const deltaBefore = subject.openDelta;
    const draw = random.below(100);
    if (draw < 70) {
      let inSteps = false;
      note(`B ${deltaBefore}`);
      try {
        inSteps =
          layer.changeAsync !== undefined && random.chance(0.5)
            ? await layer.changeAsync(subject, model, tortureSettings, random)
            : layer.change(subject, model, tortureSettings, random);
      } catch (error) {
        if ((error as { code?: string }).code !== 'ENOSPC') throw error;
      }
      const delta = subject.openDelta;
      if (inSteps && delta > deltaBefore) note(`U ${deltaBefore} ${delta}`);
      note(`S ${delta} ${digestOf(model.text())}`);
    } else if (draw < 80) {
      note(`A ${subject.commitSync()}`);
    } else if (draw < 90) {
      void subject.commit().then((delta) => note(`A ${delta}`));
    } else if (draw < 92) {
      subject.checkpointSync();
      note(`A ${subject.durableDelta}`);
    } else {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

process.on('unhandledRejection', (error) => {
  throw error;
});
main().catch((error: unknown) => {
  appendFileSync(journalPath, `E ${(error as Error).stack?.replaceAll('\n', ' | ')}\n`);
  process.exit(1);
});
