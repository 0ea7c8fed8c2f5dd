/**
 * Writes a set of golden images into a new folder: `node ... golden-main.ts <folder>`. Only for a new version of the format.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { contentOf, makeGoldenImages } from './golden/golden-image.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('name the folder to write to, which must not exist');
mkdirSync(folder);
for (const { name, holds, image } of makeGoldenImages()) {
  const packed = gzipSync(image, { level: 9 });
  writeFileSync(join(folder, `${name}.gz`), packed);
  writeFileSync(join(folder, `${name}.txt`), `${contentOf(holds, image, true).join('\n')}\n`);
  console.log(`${name} ${packed.length} bytes, ${createHash('sha256').update(image).digest('hex')}`);
}
