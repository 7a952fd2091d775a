import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');

/** `path/of.spec.ts`: "one test", "another". */
const REFERENCE = /`(?<file>[\w./-]+\.spec\.ts)`: (?<names>(?:"(?:[^"\\]|\\.)+"(?:, )?)+)/g;

interface NamedTest {
  readonly file: string;
  readonly name: string;
}

function namedTests(markdown: string): NamedTest[] {
  return [...markdown.matchAll(REFERENCE)].flatMap(({ groups }) =>
    [...groups!.names.matchAll(/"((?:[^"\\]|\\.)+)"/g)].map(([, name]) => ({
      file: groups!.file,
      name: name.replaceAll('\\"', '"'),
    })),
  );
}

/** A test's name as the source has it: in quotes of some kind. */
function isThere({ file, name }: NamedTest): boolean {
  const path = join(ROOT, file);
  if (!existsSync(path)) return false;
  const source = readFileSync(path, 'utf8');
  return ["'", '"', '`'].some((quote) => source.includes(`${quote}${name}${quote}`));
}

describe('docs/security.md', () => {
  // Without the ends of lines, which fall into the names of tests.
  const markdown = readFileSync(join(ROOT, 'docs/security.md'), 'utf8').replaceAll(/\n {2,}(?!- )/g, ' ');
  const attacks = [...markdown.matchAll(/^- \*\*.*(?:\n {2}- .*)*/gm)].map(([text]) => text);

  it('names a test for each attack, and what stops it', () => {
    expect(attacks.length).toBeGreaterThan(40);
    expect(attacks.filter((text) => namedTests(text).length === 0)).toEqual([]);
    expect(attacks.filter((text) => !text.includes('\n  - Stopped by: '))).toEqual([]);
  });

  it.each(namedTests(markdown).map(({ file, name }) => [name, file]))('"%s" is in %s', (name, file) => {
    expect(isThere({ file, name })).toBe(true);
  });

  it('would be found out: a test that is not there, in a file that is or is not', () => {
    expect(isThere({ file: 'test/layering.spec.ts', name: 'no such test' })).toBe(false);
    expect(isThere({ file: 'test/no-such.spec.ts', name: 'any' })).toBe(false);
  });
});
