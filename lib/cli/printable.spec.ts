import { printable, printableLines } from './printable';

const WORDS = 'größe 🫖 👨‍👩‍👧 שלום "quoted" \\u001b';

describe('a text for a terminal', () => {
  it.each([
    ['the title of the window', '\x1b]0;owned\x07', '\\u001b]0;owned\\u0007'],
    ['a sequence in one byte', '\x9b2J', '\\u009b2J'],
    ['a line that is written again', 'failed\rdone', 'failed\\u000ddone'],
    ['a deleted letter', 'no\x7f\b', 'no\\u007f\\u0008'],
    ['text that reads otherwise', 'acme\u202egpj.exe', 'acme\\u202egpj.exe'],
    ['a turn within', '\u2066x\u2069\u200f\u061c', '\\u2066x\\u2069\\u200f\\u061c'],
    ['lines of other kinds', 'a\u2028b\u2029c\x85d', 'a\\u2028b\\u2029c\\u0085d'],
    ['half a surrogate pair', 'a\ud800b', 'a\\ud800b'],
  ])('shows what a terminal would obey: %s', (_what, text, shown) => {
    expect(printable(text)).toBe(shown);
    expect(printableLines(text)).toBe(shown);
  });

  it('leaves all else as it is', () => {
    expect(printable(WORDS)).toBe(WORDS);
    expect(printableLines(`${WORDS}\n\t${WORDS}\n`)).toBe(`${WORDS}\n\t${WORDS}\n`);
    expect(printable('one\ntwo\t')).toBe('one\\u000atwo\\u0009');
  });

  it('changes no value of a JSON document', () => {
    const value = { '\x9b\u202e': ['\x1b[2J\n\x7f', WORDS, '\\\x80'] };
    const shown = printableLines(JSON.stringify(value, null, 2));
    expect(JSON.parse(shown)).toEqual(value);
    expect(shown).not.toMatch(/(?!\n)[\p{Cc}\p{Bidi_Control}]/u);
  });
});
