import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SECRET_BYTES = 32;
/** 62^43 > 2^256, and 62^6 > 2^32. */
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const HINT_LENGTH = 4;

/** Parts are joined by `_`. No part can look like an id, because ids are longer. */
const PREFIX = /^[a-z][a-z0-9]{0,15}(?:_[a-z0-9]{1,16}){0,2}$/;

/** `sk_0193…_9aF…`, a form that scanners for secrets can find. The id is a uuid without hyphens. */
const KEY = new RegExp(
  `^(?<prefix>[a-z][a-z0-9_]{0,50})_(?<id>[0-9a-f]{32})_(?<secret>[0-9A-Za-z]{${SECRET_LENGTH}})(?<checksum>[0-9A-Za-z]{${CHECKSUM_LENGTH}})$`,
);
const MAX_KEY_LENGTH = 51 + 1 + 32 + 1 + SECRET_LENGTH + CHECKSUM_LENGTH;

/** Where the digest of an unknown id would be. */
const NO_DIGEST = Buffer.alloc(32);

/** A new key: the text is shown once, the rest is stored. */
export interface NewKeyText {
  readonly text: string;
  readonly digest: Buffer;
  /**
   * The last four characters of the text, by which people tell keys apart. They belong to the checksum and reveal
   * nothing of the secret.
   */
  readonly hint: string;
}

/** What a well-formed key contains. */
export interface ParsedKey {
  readonly id: string;
  readonly digest: Buffer;
}

export function isKeyPrefix(prefix: unknown): prefix is string {
  return typeof prefix === 'string' && PREFIX.test(prefix);
}

/** A key of 256 random bits: `<prefix>_<id>_<secret><checksum>`. */
export function makeKey(prefix: string, id: string): NewKeyText {
  const secret = toBase62(randomBytes(SECRET_BYTES));
  const text = withChecksum(`${prefix}_${id.replaceAll('-', '')}_${secret}`);
  return { text, digest: digestOf(text), hint: text.slice(-HINT_LENGTH) };
}

/**
 * `undefined` for a text that has not the form of a key, or whose checksum is wrong because it was mistyped or cut off.
 */
export function parseKey(text: string): ParsedKey | undefined {
  if (text.length > MAX_KEY_LENGTH) return undefined;
  const { id } = KEY.exec(text)?.groups ?? {};
  if (id === undefined || withChecksum(text.slice(0, -CHECKSUM_LENGTH)) !== text) return undefined;
  return { id: id.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'), digest: digestOf(text) };
}

/** Whether a key is the one with this digest. An unknown id and a wrong secret take the same time. */
export function isKeyOf(digest: Buffer | null | undefined, key: ParsedKey): boolean {
  return timingSafeEqual(digest ?? NO_DIGEST, key.digest) && digest != null;
}

function withChecksum(body: string): string {
  let text = '';
  for (let rest = crc32(body); text.length < CHECKSUM_LENGTH; rest = Math.floor(rest / DIGITS.length))
    text = DIGITS[rest % DIGITS.length] + text;
  return body + text;
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function toBase62(bytes: Buffer): string {
  let text = '';
  for (let rest = BigInt(`0x${bytes.toString('hex')}`); text.length < SECRET_LENGTH; rest /= 62n)
    text = DIGITS[Number(rest % 62n)] + text;
  return text;
}
