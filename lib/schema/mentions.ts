import { quoteLiteral } from '../common/sql';
import { isSign, type SqlToken, tokensOf } from '../common/sql-lexer';
import { introducesName, isName, isOfOperator, schemaNamesIn } from './schema-names';

/** The characters of a name as PostgreSQL's lexer sees them: every character above ASCII counts as a letter. */
const LETTER = String.raw`[\w$\u0080-\uffff]`;
const START = String.raw`(?<!${LETTER})`;
const END = String.raw`(?!${LETTER})`;
const BARE_NAME = String.raw`[A-Za-z_\u0080-\uffff]${LETTER}*`;

/** How many quotes may stand in a row. Without a bound, a row of quotes would be read again from each of them. */
const REPEATED = '{1,64}';

/** After this many quotes without an end, a text is taken for prose and the rest is not searched for literals. */
const MAX_UNENDED = 20;

/** How deep strings in strings are read. Each level doubles the quotes. */
const MAX_DEPTH = 8;

/**
 * Finds texts that name a schema and would still name it in a clone: `template.orders` in a function's body, in a
 * default, in a parameter.
 *
 * Code that PostgreSQL printed follows the clone (see `own-name.ts`). Strings, and so function bodies, stay as they
 * were written.
 */
export class SchemaMentions {
  private readonly searchPath: RegExp;
  private readonly functionSearchPath: RegExp;

  /**
   * `objectNames`: the names of the schema's tables, views, sequences, types, functions and all other named objects.
   */
  constructor(
    private readonly schemaName: string,
    private readonly objectNames: ReadonlySet<string>,
  ) {
    const name = namePattern(schemaName);
    this.searchPath = new RegExp(
      String.raw`(?:\b[Ss][Ee][Aa][Rr][Cc][Hh]_[Pp][Aa][Tt][Hh]\b[^;]{0,500}?|\b(?:[Ii][Nn]|[Oo][Nn]|[Ss][Ee][Tt]|[Cc][Rr][Ee][Aa][Tt][Ee]|[Aa][Ll][Tt][Ee][Rr]|[Dd][Rr][Oo][Pp]|[Ff][Oo][Rr][Ee][Ii][Gg][Nn])\s[Ss][Cc][Hh][Ee][Mm][Aa]\s(?:[Ii][Ff]\s(?:[Nn][Oo][Tt]\s)?[Ee][Xx][Ii][Ss][Tt][Ss]\s)?)${START}${name}${END}`,
    );
    this.functionSearchPath = new RegExp(
      String.raw`SET "search_path" TO (?:\s*E?'(?:[^']|'')*',)*\s*${escapePattern(quoteLiteral(schemaName).trim())}`,
    );
  }

  /** The first mention in a statement, as it is written there; `undefined` when there is none. */
  in(statement: string): string | undefined {
    const tokens = [...tokensOf(statement)];
    const texts = tokens.filter(({ kind }) => kind === 'text');
    return (
      this.inTexts(statement, tokens, introducesName(tokens, this.schemaName), MAX_DEPTH) ??
      this.functionSearchPath.exec(statement)?.[0] ??
      texts.map(({ start, end }) => this.searchPath.exec(statement.slice(start, end))?.[0]).find(Boolean)
    );
  }

  private inTexts(
    source: string,
    tokens: readonly SqlToken[],
    isIntroduced: boolean,
    depth: number,
  ): string | undefined {
    for (const [at, token] of tokens.entries()) {
      if (token.kind !== 'text' || depth === 0) continue;
      const content = contentOf(source, token);
      const found = this.inContent(content, tokens, at, isIntroduced, depth);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  private inContent(
    content: string,
    around: readonly SqlToken[],
    at: number,
    isIntroduced: boolean,
    depth: number,
  ): string | undefined {
    const tokens = readOn(content);
    for (const place of schemaNamesIn(tokens, this.schemaName, isIntroduced)) {
      const [name, point, object] = [tokens[place], tokens[place + 1], tokens[place + 2]] as const;
      const isMention =
        object === undefined
          ? goesOn(around, at, tokens.length === 2)
          : this.isObject(tokens, place) && !isProse(name, point, object);
      if (isMention) return content.slice(name.start, (object ?? point).end);
    }
    return this.inTexts(content, tokens, false, depth - 1);
  }

  /** Whether a token is an object's name, a placeholder for one as in `format('template.%I', name)`, or an operator. */
  private isObject(tokens: readonly SqlToken[], place: number): boolean {
    const object = tokens[place + 2];
    if (isName(object)) return this.objectNames.has(object.value);
    return isSign(object, '%') || isOfOperator(tokens, place);
  }
}

/** "A template. Orders …" is prose, template . orders is not. */
function isProse(name: SqlToken, point: SqlToken, object: SqlToken): boolean {
  return name.end === point.start && point.end < object.start;
}

/** Whether the object's name follows the text: `'template.' || name`, `concat('template.', name)`. */
function goesOn(tokens: readonly SqlToken[], at: number, isAll: boolean): boolean {
  let next = at + 1;
  if (isAll && isSign(tokens[next], ',')) return true;
  while (
    isSign(tokens[next], ')') ||
    isSign(tokens[next], ':') ||
    (tokens[next]?.kind === 'word' && next > at + 1)
  )
    next++;
  return isSign(tokens[next], '|') && isSign(tokens[next + 1], '|');
}

/** The tokens of a text that may not be SQL. In prose, `it's` begins a literal that never ends; it is skipped. */
function readOn(text: string): SqlToken[] {
  const tokens: SqlToken[] = [];
  let from = 0;
  for (let tries = 0; tries < MAX_UNENDED; tries++) {
    const found = [...tokensOf(text.slice(from))];
    const last = found.at(-1);
    const isUnended = last?.kind === 'unended';
    for (const token of isUnended ? found.slice(0, -1) : found)
      tokens.push({ ...token, start: token.start + from, end: token.end + from });
    if (!isUnended) break;
    from += last.start + 1;
  }
  return tokens;
}

/** The text of a literal. */
function contentOf(source: string, { start, value }: SqlToken): string {
  if (source[start] === '$') return value;
  if (!/e/i.test(source[start])) return value.replaceAll("''", "'");
  return value.replace(/''|\\([^])/g, (_escape, character: string | undefined) =>
    character === undefined ? "'" : /[bfnrt]/.test(character) ? ' ' : character,
  );
}

/**
 * `template` in any case, or `"template"`. Inside a string, quotes and backslashes are doubled, perhaps several times.
 */
function namePattern(schemaName: string): string {
  const quoted = Array.from(schemaName, (character) =>
    /['"\\]/.test(character) ? `${escapePattern(character)}${REPEATED}` : escapePattern(character),
  ).join('');
  const isBare = new RegExp(`^${BARE_NAME}$`).test(schemaName) && !/[A-Z]/.test(schemaName);
  if (!isBare) return `"${REPEATED}${quoted}"${REPEATED}`;
  const bare = schemaName
    .replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)
    .replaceAll('$', String.raw`\$`);
  return `(?:"${REPEATED}${quoted}"${REPEATED}|${bare}${END})`;
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
}
