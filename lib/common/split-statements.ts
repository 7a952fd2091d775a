import { isSign, isWord, type SqlToken, tokensOf } from './sql-lexer';

/** One of the statements of a text, without the semicolon behind it. */
export interface SqlStatement {
  readonly text: string;
  /** Its first tokens, enough to tell which command it is. */
  readonly head: readonly SqlToken[];
}

/**
 * The length of `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ`, and one more to see whether the statement ends
 * there.
 */
const HEAD_LENGTH = 7;

const MAKES_ROUTINE = /^create (?:or replace )?(?:function|procedure)\b/;

/**
 * The statements of a text; those that hold nothing but comments are left out. `undefined` when they cannot be told
 * apart: a quote, a comment, a parenthesis or a body does not end. PostgreSQL reads nothing of such a text either.
 *
 * @param standardStrings the session's `standard_conforming_strings`
 */
export function splitStatements(text: string, standardStrings = true): SqlStatement[] | undefined {
  const statements: SqlStatement[] = [];
  let start = 0;
  let reader = new StatementReader();
  for (const token of tokensOf(text, standardStrings)) {
    if (token.kind === 'unended') return undefined;
    if (reader.read(token)) continue;
    if (reader.head.length > 0) statements.push({ text: text.slice(start, token.start), head: reader.head });
    start = token.end;
    reader = new StatementReader();
  }
  if (!reader.isWhole) return undefined;
  if (reader.head.length > 0) statements.push({ text: text.slice(start), head: reader.head });
  return statements;
}

/**
 * Reads one statement up to its semicolon. Those in parentheses (`CREATE RULE … DO (…; …)`) and in the body of a
 * routine (`BEGIN ATOMIC …; END`) end nothing. Bodies are read as PostgreSQL's grammar has them: one begins in CREATE
 * FUNCTION and CREATE PROCEDURE outside of parentheses, and its END comes first where a statement would. So neither
 * `CASE … END` nor a column of the name `begin` is taken for one.
 */
class StatementReader {
  readonly head: SqlToken[] = [];
  /** The state of the innermost statement, because the bodies of routines hold statements. */
  #innerHead: readonly SqlToken[] = this.head;
  #parentheses = 0;
  #bodies = 0;
  #previous: SqlToken | undefined;

  get isWhole(): boolean {
    return this.#parentheses === 0 && this.#bodies === 0;
  }

  /** Whether the token is a part of the statement, and not the semicolon behind it. */
  read(token: SqlToken): boolean {
    if (this.isWhole && isSign(token, ';')) return false;
    if (isSign(token, '(')) this.#parentheses++;
    if (isSign(token, ')')) this.#parentheses--;
    if (this.head.length < HEAD_LENGTH) this.head.push(token);
    if (this.#parentheses === 0) this.#readBodies(token);
    this.#previous = token;
    return true;
  }

  #readBodies(token: SqlToken): void {
    const isEnd = this.#bodies > 0 && this.#innerHead.length === 0 && isWord(token, 'end');
    if (isEnd) this.#bodies--;
    const begins = isWord(token, 'atomic') && isWord(this.#previous, 'begin') && this.#makesRoutine();
    if (begins) this.#bodies++;
    if (begins || (this.#bodies > 0 && isSign(token, ';'))) this.#innerHead = [];
    else if (this.#innerHead !== this.head && this.#innerHead.length < HEAD_LENGTH)
      this.#innerHead = [...this.#innerHead, token];
  }

  #makesRoutine(): boolean {
    return MAKES_ROUTINE.test(wordsOf(this.#innerHead).join(' '));
  }
}

/** The words that a statement begins with, up to the first token that is no word. */
export function wordsOf(head: readonly SqlToken[]): string[] {
  const end = head.findIndex(({ kind }) => kind !== 'word');
  return (end === -1 ? head : head.slice(0, end)).map(({ value }) => value);
}
