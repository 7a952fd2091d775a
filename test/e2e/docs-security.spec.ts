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
  const markdown = readFileSync(join(ROOT, 'docs/security.md'), 'utf8');
  const rows = markdown
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (?:-+|the attack) /.test(line));

  it('names a test for each attack', () => {
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.filter((row) => namedTests(row).length === 0)).toEqual([]);
  });

  it.each(namedTests(markdown).map(({ file, name }) => [name, file]))('"%s" is in %s', (name, file) => {
    expect(isThere({ file, name })).toBe(true);
  });

  it('would be found out: a test that is not there, in a file that is or is not', () => {
    expect(isThere({ file: 'test/layering.spec.ts', name: 'no such test' })).toBe(false);
    expect(isThere({ file: 'test/no-such.spec.ts', name: 'any' })).toBe(false);
  });
});
