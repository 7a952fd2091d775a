import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { analyse } from 'scslre';
import ts from 'typescript';

const LIB = join(__dirname, '../lib');

/** Expressions that would go back if they failed behind their match, and why they do not. */
const CANNOT_FAIL: Readonly<Record<string, string>> = {
  [String.raw`/[\w$\u0080-\uffff]+|[^\s'"\w$\u0080-\uffff]/g`]: 'a run of characters, and nothing behind it',
  [String.raw`/'(?:[^']|'')*'|"(?:[^"]|"")*"/g`]:
    'of quotes in a row only the last one can be without an end',
  [String.raw`/"((?:[^"]|"")*)"|[^\s,"]+/g`]: 'of quotes in a row only the last one can be without an end',
};

/** Where expressions are made of parts, which the tool cannot read. Each has been timed at growing sizes. */
const COMPOSED: Readonly<Record<string, string>> = {
  'access/key-text.ts': 'anchored, of fixed lengths',
  'common/scopes.ts': 'anchored, and checked below',
  'events/type-patterns.ts': 'anchored, of words that dots and hyphens part, and of 100 characters',
  'migrations/unqualified-sql.ts': 'a fixed text and a number',
  'resolution/carried/carried-token.ts': 'anchored, of 512 characters that are parted by colons',
  'resolution/resolvers/token-reader.ts': 'one blank run behind a comma, of a header that Node bounds',
  'schema/mentions.ts': 'bounded repetitions: see its own spec',
  'schema/repairs.ts': 'anchored, over names of 63 bytes',
  'schema/structure-sql.ts': 'over our own text',
  'registry/tenant-role.ts': 'anchored, over names of 63 bytes',
  'testing/hammer/row-stamps.ts': 'digits between hyphens',
};

interface Found {
  readonly file: string;
  /** `undefined`: it is made of parts. */
  readonly literal?: string;
}

function expressionsOf(file: string): Found[] {
  const text = readFileSync(join(LIB, file), 'utf8');
  const found: Found[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) found.push({ file, literal: node.text });
    const isMade = ts.isNewExpression(node) || ts.isCallExpression(node);
    if (isMade && ts.isIdentifier(node.expression) && node.expression.text === 'RegExp') found.push({ file });
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return found;
}

function isSlow(literal: string, assumeRejectingSuffix = false): boolean {
  const [, source, flags] = /^\/(.*)\/(\w*)$/s.exec(literal)!;
  return analyse({ source, flags }, { assumeRejectingSuffix }).reports.length > 0;
}

/** `/\s+/g`: one class, repeated, which nothing follows that could reject it. */
function isOneRun(literal: string): boolean {
  return /^\/(?:\[[^\]]+\]|\\s)\+\/g?$/.test(literal);
}

const files = readdirSync(LIB, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'),
);
const expressions = files.flatMap(expressionsOf);
const literals = expressions.flatMap(({ file, literal }) =>
  literal === undefined ? [] : [{ file, literal }],
);

it('finds what is slow, and real expressions', () => {
  expect(isSlow('/(?:a|a)*b/')).toBe(true);
  expect(isSlow(String.raw`/\s+$/`)).toBe(true);
  expect(isSlow(String.raw`/'(?:[^'\\]|\\.|'')*'/g`, true)).toBe(true);
  expect(isSlow('/[ab]*c/y')).toBe(false);
  expect(literals.length).toBeGreaterThan(100);
});

it('no regular expression takes more than linear time', () => {
  const slow = literals.filter(
    ({ literal }) =>
      isSlow(literal) || (isSlow(literal, true) && !isOneRun(literal) && !(literal in CANNOT_FAIL)),
  );
  expect(slow).toEqual([]);
});

it('those made of parts are known', () => {
  const composed = expressions.filter(({ literal }) => literal === undefined).map(({ file }) => file);
  expect([...new Set(composed)].sort()).toEqual(Object.keys(COMPOSED).sort());
});
