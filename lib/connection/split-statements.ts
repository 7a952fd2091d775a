/**
 * What may hold a semicolon that ends nothing: texts, quoted names, dollar-quoted bodies, comments. PostgreSQL nests
 * block comments; two levels are told here, and a deeper one only makes a statement look longer than it is.
 */
const OPAQUE = [
  String.raw`\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'`,
  String.raw`'(?:[^']|'')*'`,
  String.raw`"(?:[^"]|"")*"`,
  String.raw`(?<![\w$])\$(?<tag>(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?)\$[\s\S]*?\$\k<tag>\$`,
  String.raw`--[^\n]*`,
  String.raw`/\*(?:[^*/]|\*(?!/)|/(?!\*)|/\*[\s\S]*?\*/)*\*/`,
].join('|');

const TOKEN = new RegExp(`(?:${OPAQUE})|(?<end>;)|(?:[^;'"$/eE-]|[eE](?!'))+|[\\s\\S]`, 'g');

/** `BEGIN ATOMIC … END` has semicolons of its own. */
const HAS_SQL_BODY = /\bbegin\s+atomic\b/i;

/**
 * The statements of a text, without the semicolons between them; pieces that hold nothing but comments are joined to
 * the next. `undefined` when that cannot be told for sure.
 */
export function splitStatements(text: string): string[] | undefined {
  if (HAS_SQL_BODY.test(text)) return undefined;
  const statements: string[] = [];
  let statement = '';
  for (const { 0: token, groups } of text.matchAll(TOKEN)) {
    if (groups?.end === undefined) {
      statement += token;
    } else if (isEmpty(statement)) {
      statement += ' ';
    } else {
      statements.push(statement);
      statement = '';
    }
  }
  if (!isEmpty(statement)) statements.push(statement);
  return statements;
}

const COMMENTS = /--[^\n]*|\/\*(?:[^*/]|\*(?!\/)|\/(?!\*)|\/\*[\s\S]*?\*\/)*\*\//g;

function isEmpty(statement: string): boolean {
  return withoutComments(statement).trim() === '';
}

/** Right for the beginning of a statement, where no text can hold what looks like a comment. */
export function withoutComments(statement: string): string {
  return statement.replace(COMMENTS, ' ');
}
