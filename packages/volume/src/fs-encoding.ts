/**
 * Bytes, texts and paths at the `fs` face.
 *
 * A `Codec` makes the byte arrays that are handed out and turns texts to bytes and back. The one here runs everywhere, returns
 * `Uint8Array`s and knows the encodings that need no table; the `node` entry has one that returns `Buffer`s and knows all of Node's.
 */
import { isUint8Array } from '@outwrite/blockdev';
import { invalidType, invalidValue } from './fs-errors.ts';
import { decodeUtf8, lenientUtf8Decoder, utf8Encoder } from './host.ts';

export interface Codec<Bytes extends Uint8Array = Uint8Array> {
  /** New bytes, all of which the caller sets. */
  allocate(sizeBytes: number): Bytes;
  decode(bytes: Uint8Array, encoding: string): string;
  encode(text: string, encoding: string): Uint8Array;
}

const UTF8_NAMES: ReadonlySet<string> = new Set(['utf8', 'utf-8', 'UTF-8', 'UTF8']);

function decodeUnits(bytes: Uint8Array, mask: number): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += 8192) {
    const part = Array.from(bytes.subarray(start, start + 8192), (byte) => byte & mask);
    text += String.fromCharCode(...part);
  }
  return text;
}

/** A byte for each UTF-16 unit: the low half of it, as `Buffer` has it. */
function encodeUnits(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const HEX_PAIR = /^[0-9a-f]{2}$/i;

/** The bytes of pairs of hexadecimal digits, up to the first pair that is none. */
function encodeHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >>> 1);
  for (let i = 0; i < bytes.length; i++) {
    const pair = text.slice(2 * i, 2 * i + 2);
    // `parseInt` alone would take signs, spaces, and the first digit of a bad pair.
    if (!HEX_PAIR.test(pair)) return bytes.subarray(0, i);
    bytes[i] = Number.parseInt(pair, 16);
  }
  return bytes;
}

/** Texts and bytes without Node: encodings `utf8`, `latin1` (`binary`), `ascii` and `hex`. */
export const plainCodec: Codec = {
  allocate: (sizeBytes) => new Uint8Array(sizeBytes),

  decode(bytes, encoding) {
    if (UTF8_NAMES.has(encoding)) return lenientUtf8Decoder.decode(bytes);
    if (encoding === 'latin1' || encoding === 'binary') return decodeUnits(bytes, 0xff);
    if (encoding === 'ascii') return decodeUnits(bytes, 0x7f);
    if (encoding === 'hex') return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    throw invalidValue('encoding', `is not known here: '${encoding}'`);
  },

  encode(text, encoding) {
    if (UTF8_NAMES.has(encoding)) return utf8Encoder.encode(text);
    if (encoding === 'latin1' || encoding === 'binary' || encoding === 'ascii') return encodeUnits(text);
    if (encoding === 'hex') return encodeHex(text);
    throw invalidValue('encoding', `is not known here: '${encoding}'`);
  },
};

/** A path: text, its bytes in UTF-8, or a `file:` URL. */
export type PathLike =
  | string
  | Uint8Array
  | { readonly href: string; readonly protocol: string; readonly pathname: string; readonly hostname?: string };

/**
 * The text of a path that is given as bytes. What is no UTF-8 becomes lone surrogates, which no name holds: so two such paths never
 * mean the same file, and whoever looks one up fails with `EINVAL` that names the call and the path.
 */
function textOfPath(bytes: Uint8Array): string {
  return decodeUtf8(bytes, 0, bytes.length) ?? lenientUtf8Decoder.decode(bytes).replaceAll('\ufffd', '\udcff');
}

/** No name holds a slash, so it would mean another path. */
const ENCODED_SLASH = /%2f/i;

function decodedText(text: string, argument: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidValue(argument, 'must be a URL of which the path is encoded UTF-8');
  }
}

/** A path as a text. Throws a `TypeError` for what is none, and for one that holds a zero character. */
export function pathOf(path: PathLike, argument = 'path'): string {
  if (typeof path === 'string') {
    if (path.includes('\0')) throw invalidValue(argument, 'must be a path without null bytes');
    return path;
  }
  if (isUint8Array(path)) return pathOf(textOfPath(path), argument);
  if (typeof path === 'object' && path !== null && typeof path.href === 'string' && typeof path.pathname === 'string') {
    if (path.protocol !== 'file:') throw invalidValue(argument, 'must be a URL of scheme file');
    if ((path.hostname ?? '') !== '') throw invalidValue(argument, 'must be a URL without a host');
    if (ENCODED_SLASH.test(path.pathname)) throw invalidValue(argument, 'must be a URL without encoded slashes');
    return pathOf(decodedText(path.pathname, argument), argument);
  }
  throw invalidType(argument, 'a string, a Uint8Array or a URL', path);
}

/** What writes accept: bytes of any view, or a text. */
export type DataLike = string | ArrayBufferView;

/** Data as bytes, without a copy where they are bytes already. */
export function bytesOf(data: DataLike, encoding: string, codec: Codec): Uint8Array {
  if (typeof data === 'string') return codec.encode(data, encoding);
  if (isUint8Array(data)) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  throw invalidType('data', 'a string or a view of bytes', data);
}

/** Options that are an encoding, or hold one. */
export type EncodingOption = { readonly encoding?: string | null | undefined } | string | null | undefined;

/** Options that ask for bytes where a text is usual. */
export type BufferEncodingOption = 'buffer' | { readonly encoding: 'buffer' };

/** The encoding that options name; null where they name none. */
export function encodingOf(options: EncodingOption): string | null {
  return (typeof options === 'string' ? options : options?.encoding) || null;
}

const NO_BYTES = new Uint8Array(0);

function newBytes<Bytes extends Uint8Array>(codec: Codec<Bytes>, source: Uint8Array): Bytes {
  const bytes = codec.allocate(source.length);
  bytes.set(source);
  return bytes;
}

/**
 * Makes of a name or path what callers see of it: the text, its bytes in UTF-8, or these in the encoding that the options name. Throws
 * here, before anything is done, for an encoding that the codec does not know.
 */
export function nameCoder<Bytes extends Uint8Array>(
  codec: Codec<Bytes>,
  options: EncodingOption,
): (name: string) => string | Bytes {
  const encoding = encodingOf(options);
  if (encoding === null || UTF8_NAMES.has(encoding)) return (name) => name;
  if (encoding === 'buffer') return (name) => newBytes(codec, utf8Encoder.encode(name));
  codec.decode(NO_BYTES, encoding);
  return (name) => codec.decode(utf8Encoder.encode(name), encoding);
}
