import { type SqlToken, tokensOf } from '../../common/sql-lexer';

/** A cheap first test: without one of these words nothing can be left in the session. */
const MAY_LEAVE_STATE =
  /\b(?:set_config|reset|discard|deallocate|listen|load|prepare|hold|temp|temporary|pg_temp|pg_(?:try_)?advisory_lock(?:_shared)?)\b|u&"/i;

/** Of UPDATE there are too many for a closer look at each: a SET is one only where a statement begins. */
const SET = /\bset\b/i;
const MAY_SET = /;|^\s*(?:set\b|[^\s\w])/i;

/** Statements that leave something whatever comes next, but for what `LOCAL_WORDS` says. */
const STATEMENTS: ReadonlySet<string> = new Set([
  ...['set', 'reset', 'discard', 'deallocate', 'listen', 'load', 'prepare'],
]);

/** SET LOCAL, SET TRANSACTION and SET CONSTRAINTS end with the transaction, and PREPARE TRANSACTION ends it. */
const LOCAL_WORDS: Readonly<Record<string, readonly string[]>> = {
  set: ['local', 'transaction', 'constraints'],
  prepare: ['transaction'],
};

/** After these words of PL/pgSQL a statement begins; its code never begins with one, but prose does. */
const BLOCK_WORDS: ReadonlySet<string> = new Set(['begin', 'then', 'else', 'loop', 'execute']);

const TEMPORARY: ReadonlySet<string> = new Set(['temp', 'temporary']);
/** `CREATE OR REPLACE LOCAL TEMPORARY …`, `SELECT … INTO TEMP …`. */
const BEFORE_TEMPORARY: ReadonlySet<string> = new Set(['create', 'into', 'replace', 'local', 'global']);

const LOCK = /^pg_(?:try_)?advisory_lock(?:_shared)?$/;

/** Inside of a literal, where quotes and comments may be half ones: words and signs, whatever they are in. */
const LOOSE_TOKEN = /[\w$\u0080-\uffff]+|[^\s'"\w$\u0080-\uffff]/g;

/**
 * Whether a statement may leave something in the session that outlives its transaction: a parameter, a temporary table,
 * a prepared statement, a held cursor, a subscription, a lock. Reads the text only, literals too, which may be code,
 * and would rather say yes: a connection destroyed for nothing costs milliseconds.
 *
 * @param standardStrings the session's `standard_conforming_strings`
 */
export function leavesSessionState(text: string, standardStrings = true): boolean {
  if (!MAY_LEAVE_STATE.test(text) && !(MAY_SET.test(text) && SET.test(text))) return false;
  const finder = new StateFinder();
  for (const token of tokensOf(text, standardStrings)) {
    if (finder.finds(token)) return true;
    if (token.kind === 'text' && literalLeavesState(token.value, standardStrings)) return true;
  }
  return finder.isInCall;
}

/** Read twice: as code, which has comments, and loosely, since it may be a part of some code only. */
function literalLeavesState(literal: string, standardStrings: boolean): boolean {
  if (!MAY_LEAVE_STATE.test(literal) && !SET.test(literal)) return false;
  return findIn(looseTokensOf(literal)) || findIn(tokensOf(literal, standardStrings));
}

function findIn(tokens: Iterable<SqlToken>): boolean {
  const finder = new StateFinder(BLOCK_WORDS);
  for (const token of tokens) if (finder.finds(token)) return true;
  return finder.isInCall;
}

function* looseTokensOf(literal: string): Generator<SqlToken> {
  for (const { 0: value, index } of literal.matchAll(LOOSE_TOKEN)) {
    const kind = /^[\w\u0080-\uffff]/.test(value) ? 'word' : 'sign';
    yield { kind, start: index, end: index + value.length, value: value.toLowerCase() };
  }
}

/** An argument list that is still open. */
interface ArgumentList {
  readonly isSetConfig: boolean;
  /** Whether what has been read of the last argument is the word `true`, and nothing else. */
  isTrue: boolean;
  /** Whether nothing of it has been read. */
  isEmpty: boolean;
}

class StateFinder {
  readonly #lists: ArgumentList[] = [];
  #previous: SqlToken | undefined;
  #beforePrevious: SqlToken | undefined;

  /** `blockWords`: of code inside of a literal. */
  constructor(private readonly blockWords?: ReadonlySet<string>) {}

  /** Whether a call of `set_config` has not ended. */
  get isInCall(): boolean {
    return this.#lists.some(({ isSetConfig }) => isSetConfig);
  }

  /** Whether this token, after those before it, tells that something is left. */
  finds(token: SqlToken): boolean {
    // Its name may be any.
    const found =
      token.kind === 'escaped' ||
      this.#endsSetConfig(token) ||
      this.#isPhrase(token) ||
      this.#isStatement(token);
    this.#beforePrevious = this.#previous;
    this.#previous = token;
    return found;
  }

  /** Its last argument says whether the parameter ends with the transaction. */
  #endsSetConfig({ kind, value }: SqlToken): boolean {
    if (kind === 'sign' && value === ')') {
      const list = this.#lists.pop();
      this.#noteArgument(false);
      return list?.isSetConfig === true && !list.isTrue;
    }
    if (kind === 'sign' && value === '(') {
      this.#lists.push({ isSetConfig: isNamed(this.#previous, 'set_config'), isTrue: false, isEmpty: true });
    } else if (kind === 'sign' && value === ',') {
      const list = this.#lists.at(-1);
      if (list) Object.assign(list, { isTrue: false, isEmpty: true });
    } else {
      this.#noteArgument(kind === 'word' && value === 'true');
    }
    return false;
  }

  #noteArgument(isTrue: boolean): void {
    const list = this.#lists.at(-1);
    if (!list) return;
    list.isTrue = isTrue && list.isEmpty;
    list.isEmpty = false;
  }

  #isPhrase({ kind, value }: SqlToken): boolean {
    const before = this.#previous;
    if (kind === 'word' && value === 'hold') return isNamed(before, 'with');
    if (kind === 'word' && TEMPORARY.has(value))
      return before?.kind === 'word' && BEFORE_TEMPORARY.has(before.value);
    if (kind !== 'sign') return false;
    return (value === '.' && isNamed(before, 'pg_temp')) || (value === '(' && LOCK.test(nameOf(before)));
  }

  /** Of what begins a statement the next word tells. */
  #isStatement({ kind, value }: SqlToken): boolean {
    const first = this.#previous;
    if (first?.kind !== 'word' || !STATEMENTS.has(first.value) || !this.#mayBegin(this.#beforePrevious))
      return false;
    return kind !== 'word' || !LOCAL_WORDS[first.value]?.includes(value);
  }

  #mayBegin(before: SqlToken | undefined): boolean {
    if (before === undefined) return this.blockWords === undefined;
    return before.kind === 'sign'
      ? before.value === ';'
      : before.kind === 'word' && this.blockWords?.has(before.value) === true;
  }
}

function nameOf(token: SqlToken | undefined): string {
  return token?.kind === 'word' || token?.kind === 'name' ? token.value : '';
}

function isNamed(token: SqlToken | undefined, name: string): boolean {
  return nameOf(token) === name;
}
