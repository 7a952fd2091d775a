/** A token of SQL as PostgreSQL's lexer sees it. White space and comments make no tokens. */
export interface SqlToken {
  /**
   * `word`: a keyword or a name without quotes. `name`: one in quotes. `escaped`: one as `U&"…"`. `text`: a literal of
   * whatever kind. `sign`: one character, `number` and `parameter` as they say. `unended`: a quote or comment that does
   * not end, and so the last one.
   */
  readonly kind: 'word' | 'name' | 'escaped' | 'text' | 'sign' | 'number' | 'parameter' | 'unended';
  readonly start: number;
  readonly end: number;
  /** Words in small letters, names and texts without their quotes (escapes stay as they are), signs themselves. */
  readonly value: string;
}

/** PostgreSQL takes every byte of a character above ASCII for a letter, and so is every such character here. */
const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y;
const NUMBER = /\d[\w\u0080-\uffff]*/y;
const PARAMETER = /\$\d+/y;
const DOLLAR_QUOTE = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y;
const ASCII_WORD = /^[\w$]*$/;
/** The most frequent ones, for which no expression need be tried. */
const SIGNS = '(),.;:=';
const LINE_END = /[\n\r]/g;
const COMMENT_EDGE = /\/\*|\*\//g;
const QUOTE_OR_ESCAPE = /['\\]/g;
const SPACE = ' \t\n\r\f\v';
const SLASH = '/'.charCodeAt(0);
const LONE_SURROGATE = /\p{Surrogate}/gu;

/**
 * The tokens of a text, in one pass that is linear in its length. Positions are those of the text that was given.
 *
 * @param standardStrings the session's `standard_conforming_strings`: when off, a backslash escapes in `'…'` as it does in `E'…'`
 */
export function* tokensOf(given: string, standardStrings = true): Generator<SqlToken, void, undefined> {
  // As it is sent: UTF-8 has one character for all halves of characters, so two dollar quotes become the same.
  const text = given.replaceAll(LONE_SURROGATE, '\ufffd');
  let start = 0;
  for (;;) {
    const begin = skipBlank(text, start);
    if (begin === undefined) return void (yield unended(text, start));
    if (begin === text.length) return;
    const token = readToken(text, begin, standardStrings);
    yield token;
    if (token.kind === 'unended') return;
    start = token.end;
  }
}

/** The first token that is no semicolon. Reads as much of a text as it takes to find it. */
export function firstToken(text: string): SqlToken | undefined {
  for (const token of tokensOf(text)) if (!isSign(token, ';')) return token;
  return undefined;
}

export function isSign(token: SqlToken | undefined, sign: string): boolean {
  return token?.kind === 'sign' && token.value === sign;
}

export function isWord(token: SqlToken | undefined, word: string): boolean {
  return token?.kind === 'word' && token.value === word;
}

/** Where the next token begins; `undefined` when a comment does not end. */
function skipBlank(text: string, start: number): number | undefined {
  let position: number | undefined = start;
  while (position !== undefined && position < text.length) {
    // Space and comments begin with no character above it, and most tokens do.
    if (text.charCodeAt(position) > SLASH) break;
    if (SPACE.includes(text[position])) position++;
    else if (text.startsWith('--', position)) position = find(LINE_END, text, position)?.index ?? text.length;
    else if (text.startsWith('/*', position)) position = endOfComment(text, position);
    else break;
  }
  return position;
}

/** Block comments nest. */
function endOfComment(text: string, start: number): number | undefined {
  let depth = 0;
  for (let position = start; ;) {
    const edge = find(COMMENT_EDGE, text, position);
    if (!edge) return undefined;
    depth += edge[0] === '/*' ? 1 : -1;
    position = edge.index + edge[0].length;
    if (depth === 0) return position;
  }
}

function readToken(text: string, start: number, standardStrings: boolean): SqlToken {
  const first = text[start];
  if (first === "'") return readText(text, start, start, standardStrings ? 'standard' : 'escaping');
  if (first === '"') return readName(text, start, start);
  if (first === '$') return readDollar(text, start);
  if (SIGNS.includes(first)) return token('sign', start, first);
  const number = at(NUMBER, text, start);
  if (number !== undefined) return token('number', start, number);
  const word = at(WORD, text, start);
  if (word === undefined) return token('sign', start, first);
  return readPrefixed(text, start, word) ?? token('word', start, word, lowerCase(word));
}

/**
 * `E'…'`, `B'…'`, `X'…'` and `U&"…"`. `N'…'` is a word before a text, and so is `U&'…'` here: PostgreSQL takes it only
 * where `'…'` has no escapes.
 */
function readPrefixed(text: string, start: number, word: string): SqlToken | undefined {
  if (word.length > 1) return undefined;
  const letter = word.toLowerCase();
  const next = start + 1;
  if (text[next] === "'") {
    if (letter === 'e') return readText(text, start, next, 'escaping');
    if (letter === 'b' || letter === 'x') return readText(text, start, next, 'bits');
  } else if (letter === 'u' && text.startsWith('&"', next)) {
    return readName(text, start, next + 1);
  }
  return undefined;
}

/** In `bits`, two quotes end one literal and begin the next; elsewhere they stand for one quote of the text. */
type TextKind = 'standard' | 'escaping' | 'bits';

/** After a line break a literal may go on, as the same kind of literal. */
function readText(text: string, start: number, quote: number, kind: TextKind): SqlToken {
  let value = '';
  for (let from = quote + 1; ;) {
    const end = endOfText(text, from, kind);
    if (end === undefined) return unended(text, start);
    value += text.slice(from, end);
    const continued = continuation(text, end + 1);
    if (continued === undefined) return { kind: 'text', start, end: end + 1, value };
    from = continued;
  }
}

/** Where its closing quote is. */
function endOfText(text: string, from: number, kind: TextKind): number | undefined {
  for (let position = from; ;) {
    const at =
      kind === 'escaping' ? find(QUOTE_OR_ESCAPE, text, position)?.index : text.indexOf("'", position);
    if (at === undefined || at === -1) return undefined;
    const isEnd = text[at] === "'" && (kind === 'bits' || text[at + 1] !== "'");
    if (isEnd) return at;
    position = at + 2;
  }
}

/** Where a literal goes on: behind white space and `--` comments, with a line's end among them, and a quote. */
function continuation(text: string, from: number): number | undefined {
  let hasLineEnd = false;
  for (let position = from; position < text.length;) {
    const character = text[position];
    if (character === "'") return hasLineEnd ? position + 1 : undefined;
    if (SPACE.includes(character)) {
      hasLineEnd ||= character === '\n' || character === '\r';
      position++;
    } else if (text.startsWith('--', position)) {
      const lineEnd = find(LINE_END, text, position);
      if (!lineEnd) return undefined;
      position = lineEnd.index;
    } else {
      return undefined;
    }
  }
  return undefined;
}

function readName(text: string, start: number, quote: number): SqlToken {
  for (let position = quote + 1; ;) {
    const at = text.indexOf('"', position);
    if (at === -1) return unended(text, start);
    if (text[at + 1] !== '"') {
      const kind = quote === start ? 'name' : 'escaped';
      return { kind, start, end: at + 1, value: text.slice(quote + 1, at).replaceAll('""', '"') };
    }
    position = at + 2;
  }
}

/** A dollar quote's text, a parameter, or a sign that PostgreSQL will refuse. */
function readDollar(text: string, start: number): SqlToken {
  const parameter = at(PARAMETER, text, start);
  if (parameter !== undefined) return token('parameter', start, parameter);
  const delimiter = at(DOLLAR_QUOTE, text, start);
  if (delimiter === undefined) return token('sign', start, '$');
  const from = start + delimiter.length;
  const end = text.indexOf(delimiter, from);
  if (end === -1) return unended(text, start);
  return { kind: 'text', start, end: end + delimiter.length, value: text.slice(from, end) };
}

function token(kind: SqlToken['kind'], start: number, source: string, value = source): SqlToken {
  return { kind, start, end: start + source.length, value };
}

function unended(text: string, start: number): SqlToken {
  return { kind: 'unended', start, end: text.length, value: '' };
}

/** What a sticky expression matches at this position. */
function at(pattern: RegExp, text: string, position: number): string | undefined {
  pattern.lastIndex = position;
  return pattern.test(text) ? text.slice(position, pattern.lastIndex) : undefined;
}

/** The next match of a global expression. */
function find(pattern: RegExp, text: string, position: number): RegExpExecArray | null {
  pattern.lastIndex = position;
  return pattern.exec(text);
}

/** As PostgreSQL does with keywords: of ASCII only, lest a letter that is not in it becomes one that is. */
function lowerCase(word: string): string {
  if (ASCII_WORD.test(word)) return word.toLowerCase();
  return word.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
