import { quoteLiteral } from '../common/sql';

/** Letters of a name as PostgreSQL lexes it: every character above ASCII counts as a letter. */
const LETTER = String.raw`[\w$\u0080-\uffff]`;
const START = String.raw`(?<!${LETTER})`;
const END = String.raw`(?!${LETTER})`;
const BARE_NAME = String.raw`[A-Za-z_\u0080-\uffff]${LETTER}*`;

/** How often a quote may be repeated. Without a bound a row of quotes would be read again from each of them. */
const REPEATED = '{1,64}';

/** Strings and quoted names, so that neither is searched for the other. */
const STRING_OR_NAME = /'(?:[^']|'')*'|"(?:[^"]|"")*"/g;

/**
 * Finds texts that name a schema and would name it still in a clone: `template.orders` in a function's body, in a
 * default, in a setting.
 *
 * What PostgreSQL prints as code is bare where it means the schema's own objects, because the schema is on the search
 * path. Strings, bodies among them, stay as somebody wrote them.
 */
export class SchemaMentions {
  private readonly qualified: RegExp;
  private readonly searchPath: RegExp;
  private readonly functionSearchPath: RegExp;
  private readonly alias: RegExp;

  /** `objectNames`: of the schema's tables, views, sequences, types, functions and whatever else has a name. */
  constructor(
    schemaName: string,
    private readonly objectNames: ReadonlySet<string>,
  ) {
    const name = namePattern(schemaName);
    const object = String.raw`(?:"{1,8}(?<quoted>(?:[^"]|"")+)"|(?<bare>${BARE_NAME}))`;
    // "A template. Orders …" is prose, template . orders is not.
    // 'template.' || name, format('template.%I', name)
    const objectToBe = String.raw`(?:%|'${REPEATED}(?:::[\w ]*\w)?\)*\s*\|\|)`;
    const operator = String.raw`\b[Oo][Pp][Ee][Rr][Aa][Tt][Oo][Rr]\s*\(\s*${name}\s*\.`;
    this.qualified = new RegExp(
      String.raw`${START}${name}(?:\.|\s+\.\s*)(?:${object}|${objectToBe})|'${name}\s*\.'${REPEATED}\s*,|${operator}`,
      'g',
    );
    this.searchPath = new RegExp(
      String.raw`(?:\b[Ss][Ee][Aa][Rr][Cc][Hh]_[Pp][Aa][Tt][Hh]\b[^;]{0,500}?|\b(?:[Ii][Nn]|[Oo][Nn]|[Ss][Ee][Tt]|[Cc][Rr][Ee][Aa][Tt][Ee]|[Aa][Ll][Tt][Ee][Rr]|[Dd][Rr][Oo][Pp]|[Ff][Oo][Rr][Ee][Ii][Gg][Nn])\s[Ss][Cc][Hh][Ee][Mm][Aa]\s(?:[Ii][Ff]\s(?:[Nn][Oo][Tt]\s)?[Ee][Xx][Ii][Ss][Tt][Ss]\s)?)${START}${name}${END}`,
    );
    this.functionSearchPath = new RegExp(
      String.raw`SET "search_path" TO (?:\s*E?'(?:[^']|'')*',)*\s*${escapePattern(quoteLiteral(schemaName).trim())}`,
    );
    this.alias = new RegExp(String.raw`${START}(?<!\.)${name}${END}(?!\s*\.)`);
  }

  /** The first mention in a statement, as it stands there; `undefined` when there is none. */
  in(statement: string): string | undefined {
    const strings = [...statement.matchAll(STRING_OR_NAME)].filter(([text]) => text.startsWith("'"));
    let passed = 0;
    // Asked from left to right, so that each string is looked at once.
    const inString = (at: number) => {
      while (passed < strings.length && endOf(strings[passed]) <= at) passed++;
      return passed < strings.length && strings[passed].index <= at;
    };
    const code = statement.replace(STRING_OR_NAME, (text) => (text.startsWith("'") ? "''" : text));
    // In code an alias may bear the schema's name. Which of the two it is, the verification of the clone knows for sure.
    const isAlias = this.alias.test(code);
    for (const match of statement.matchAll(this.qualified)) {
      const isOperator = /^operator\s*\(/i.test(match[0]);
      if (this.namesObject(match) && (inString(match.index) || isOperator || !isAlias)) return match[0];
    }
    return (
      this.functionSearchPath.exec(statement)?.[0] ??
      strings.map(({ 0: text }) => this.searchPath.exec(text)?.[0]).find(Boolean)
    );
  }

  private namesObject({ groups }: RegExpMatchArray): boolean {
    const name = groups?.quoted?.replaceAll('""', '"').replaceAll("''", "'") ?? groups?.bare?.toLowerCase();
    return name === undefined || this.objectNames.has(name);
  }
}

function endOf({ index, 0: text }: RegExpExecArray): number {
  return index + text.length;
}

/** `template` in any case or `"template"`. Inside a string quotes and backslashes are doubled, perhaps repeatedly. */
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
