import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { isKeyOf, isKeyPrefix, makeKey, parseKey } from './key-text';

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
/** As docs/access.md gives it to scanners. */
const SCANNED = /\bsk_[0-9a-f]{32}_[0-9A-Za-z]{49}\b/;

describe('the text of a key', () => {
  it('has prefix, id, 256 bits of secret and a checksum, and scanners find it', () => {
    const { text, hint, digest } = makeKey('sk', ID);
    expect(text).toMatch(/^sk_01890a5dac96774bbcceb302099a8057_[0-9A-Za-z]{49}$/);
    expect(`token: "${text}",`).toMatch(SCANNED);
    expect(hint).toBe(text.slice(-4));
    expect(digest).toEqual(createHash('sha256').update(text).digest());
    expect(parseKey(text)).toEqual({ id: ID, digest });
  });

  it('is told from that of another key, and from that of none', () => {
    const { text, digest } = makeKey('sk', ID);
    const key = parseKey(text)!;
    expect(isKeyOf(digest, key)).toBe(true);
    for (const other of [makeKey('sk', ID).digest, null, undefined]) expect(isKeyOf(other, key)).toBe(false);
    expect(isKeyOf(undefined, { id: ID, digest: Buffer.alloc(32) })).toBe(false);
  });

  it('is never the same, and its secret uses all of its digits', () => {
    const keys = Array.from({ length: 500 }, () => makeKey('sk', ID).text);
    expect(new Set(keys).size).toBe(500);
    for (const digit of ['0', '9', 'A', 'Z', 'a', 'z'])
      expect(keys.some((key) => key.slice(36, -6).includes(digit))).toBe(true);
  });

  it('may have a prefix of parts', () => {
    expect(parseKey(makeKey('acme_live', ID).text)?.id).toBe(ID);
    expect(isKeyPrefix('acme_live')).toBe(true);
  });

  it.each(['', 'SK', 's k', '_sk', 'sk_', 'sk__live', '1k', 'a'.repeat(17), 'sk\n', 'ѕk', 5, undefined])(
    'cannot have the prefix %j',
    (prefix) => expect(isKeyPrefix(prefix)).toBe(false),
  );

  it('with one character mistyped, left out, doubled or exchanged is known for a typo', () => {
    const { text } = makeKey('sk', ID);
    for (let at = 0; at < text.length; at += 1) {
      const other = text[at] === 'x' ? 'y' : 'x';
      expect(parseKey(text.slice(0, at) + other + text.slice(at + 1))).toBeUndefined();
      expect(parseKey(text.slice(0, at) + text.slice(at + 1))).toBeUndefined();
      expect(parseKey(text.slice(0, at) + text[at] + text.slice(at))).toBeUndefined();
      const swapped = text.slice(0, at) + (text[at + 1] ?? '') + text[at] + text.slice(at + 2);
      if (swapped !== text) expect(parseKey(swapped)).toBeUndefined();
    }
  });

  it.each([
    ['nothing', ''],
    ['8 kB', 'sk_'.padEnd(8_192, 'a')],
    ['8 kB of underscores', '_'.repeat(8_192)],
    ['a token', 'eyJhbGciOiJIUzI1NiJ9.e30.AA'],
    ['NUL', 'sk_\0'],
    ['a line feed at the end', `${makeKey('sk', ID).text}\n`],
    ['white space around it', ` ${makeKey('sk', ID).text}`],
    ['two keys', `${makeKey('sk', ID).text}, ${makeKey('sk', ID).text}`],
  ])('is not %s', (_case, text) => expect(parseKey(text)).toBeUndefined());

  it('is read from 100,000 texts without a crash, and never where there is none', () => {
    const { text } = makeKey('sk', ID);
    const piece = fc.constantFrom(
      'sk',
      '_',
      ID.replaceAll('-', ''),
      text,
      text.slice(0, 60),
      text.slice(60),
      'x',
      'é',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        const given = pieces.join('');
        return parseKey(given) === undefined || given.endsWith(text);
      }),
      { numRuns: 100_000 },
    );
  });
});
