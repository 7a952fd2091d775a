import { InvalidFileError } from './files.errors';
import type { FileAbout } from './file-store';

/** As S3 has it. */
const MAX_KEY_BYTES = 1_024;

/** S3 has 2,048, with names and values counted as they are sent, and the library's own among them. */
const MAX_METADATA_BYTES = 1_900;

/** RFC 9110, 8.3.1, with any parameters behind it. */
const CONTENT_TYPE = /^[\w!#$&^.+-]{1,100}\/[\w!#$&^.+-]{1,100}(?:;[\x20-\x7e]{1,100})?$/;

/** What begins with `tenancy-` is the library's. */
const METADATA_NAME = /^(?!tenancy-)[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;

/** The rules, and what to do about a key that breaks one. Two texts that look alike would else be two files. */
const KEY_RULES: readonly (readonly [isBroken: (key: string) => boolean, remedy: string])[] = [
  [(key) => key === '', 'give a name such as reports/2026.pdf'],
  [(key) => /\p{Surrogate}/u.test(key), 'it has half of a character in it'],
  [(key) => Buffer.byteLength(key) > MAX_KEY_BYTES, `give at most ${MAX_KEY_BYTES} bytes of UTF-8`],
  // U+FFFE and U+FFFF cannot stand in XML, in which S3 is told what to delete.
  [(key) => /[\p{Cc}\ufffe\uffff]/u.test(key), 'leave out control characters'],
  [(key) => key.includes('\\'), 'part it with /, not with a backslash'],
  [(key) => key.startsWith('/'), 'leave out the / at its beginning'],
  [
    (key) => key.split('/').some((segment) => ['', '.', '..'].includes(segment)),
    'no part of it may be empty, . or ..',
  ],
  [(key) => key.normalize('NFC') !== key, "write it in Unicode's form NFC: key.normalize('NFC')"],
];

/** @throws InvalidFileError when no file can have this key */
export function checkFileKey(key: unknown): asserts key is string {
  if (typeof key !== 'string') throw new InvalidFileError('key', key, 'give a text');
  const broken = KEY_RULES.find(([isBroken]) => isBroken(key));
  if (broken) throw new InvalidFileError('key', key, broken[1]);
}

/** What keys begin with, to its last character: the prefix of a key that is allowed. @throws InvalidFileError */
export function checkFilePrefix(prefix: unknown): asserts prefix is string {
  if (prefix === '') return;
  const isKey = typeof prefix === 'string' && !KEY_RULES.some(([isBroken]) => isBroken(`${prefix}a`));
  if (!isKey && !(typeof prefix === 'string' && /(?:^|[^/])\/\.{1,2}$/.test(prefix)))
    throw new InvalidFileError('prefix', prefix, 'give the beginning of a key, such as reports/');
}

/** @throws InvalidFileError when they cannot be kept with a file */
export function checkFileAbout({ contentType, metadata }: FileAbout): void {
  if (typeof contentType !== 'string' || !CONTENT_TYPE.test(contentType))
    throw new InvalidFileError('contentType', contentType, 'give one such as image/png');
  const entries = Object.entries(metadata);
  const isMetadata = entries.every(
    ([name, value]) => METADATA_NAME.test(name) && typeof value === 'string' && !/\p{Surrogate}/u.test(value),
  );
  const bytes = (): number =>
    entries.reduce((sum, each) => sum + each.map(encodeURIComponent).join('').length, 0);
  if (!isMetadata || bytes() > MAX_METADATA_BYTES)
    throw new InvalidFileError(
      'metadata',
      metadata,
      `give texts by names of a-z 0-9 - other than tenancy-…, of ${MAX_METADATA_BYTES} bytes together, as encodeURIComponent() writes them`,
    );
}
