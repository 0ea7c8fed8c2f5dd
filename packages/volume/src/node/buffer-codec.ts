/**
 * Bytes and texts as Node has them: results are `Buffer`s, and all of its encodings are known.
 */
import type { Codec } from '../fs-encoding.ts';
import { invalidValue } from '../fs-errors.ts';

function encodingNamed(encoding: string): BufferEncoding {
  if (!Buffer.isEncoding(encoding)) throw invalidValue('encoding', `is not known: '${encoding}'`);
  return encoding;
}

export const bufferCodec: Codec<Buffer> = {
  // Small ones come out of Node's pool; every byte is set before the caller sees it.
  allocate: (sizeBytes) => Buffer.allocUnsafe(sizeBytes),

  decode(bytes, encoding) {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(encodingNamed(encoding));
  },

  encode: (text, encoding) => Buffer.from(text, encodingNamed(encoding)),
};
