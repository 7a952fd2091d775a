import { isSign, isWord, type SqlToken } from '../common/sql-lexer';

/** Words that a table's name follows. */
const BEFORE_TABLE = new Set(['from', 'join', 'into', 'update', 'only', 'table', 'using']);

/** Functions whose arguments use FROM before a value instead of a table. */
const WITH_FROM = new Set(['extract', 'substring', 'trim', 'overlay', 'position']);

/**
 * The places of the tokens that name a schema before a dot, as in `template.orders`. An alias, a table or a variable
 * may have the same name. Where the text introduces such a name, or the caller says that it exists (`isIntroduced`), a
 * token counts only where nothing but a schema can stand.
 */
export function schemaNamesIn(
  tokens: readonly SqlToken[],
  schemaName: string,
  isIntroduced = false,
): number[] {
  const places = tokens.flatMap((token, at) => (isName(token) && token.value === schemaName ? [at] : []));
  if (places.length === 0) return [];
  const named = places.filter((at) => isSign(tokens[at + 1], '.'));
  if (!isIntroduced && !places.some((at) => introduces(tokens, at))) return named;
  const beforeTables = tablePlaces(tokens);
  return named.filter(
    (at) => beforeTables.has(at) || isSign(tokens[at + 3], '(') || isOfOperator(tokens, at),
  );
}

/** Whether the name stands in an operator's, as in `OPERATOR(template.+)`. */
export function isOfOperator(tokens: readonly SqlToken[], at: number): boolean {
  return isSign(tokens[at - 1], '(') && isWord(tokens[at - 2], 'operator');
}

/** Whether the text gives the name to something else than a schema. */
export function introducesName(tokens: readonly SqlToken[], name: string): boolean {
  return tokens.some((token, at) => isName(token) && token.value === name && introduces(tokens, at));
}

/** Whether the name is given to something at this token: a table that is read, an alias, a parameter, a variable. */
function introduces(tokens: readonly SqlToken[], at: number): boolean {
  const next: SqlToken | undefined = tokens[at + 1];
  if (isSign(next, '.')) return false;
  const start = startOfName(tokens, at);
  const before: SqlToken | undefined = tokens[start - 1];
  if (before?.kind === 'word' && BEFORE_TABLE.has(before.value)) return true;
  if (start !== at) return false;
  if (isSign(before, ')') || ['as', 'for', 'declare'].some((word) => isWord(before, word))) return true;
  const isDeclared = before === undefined || ['(', ',', ';'].some((sign) => isSign(before, sign));
  if (isDeclared) return next !== undefined && isName(next);
  if (!isName(before)) return false;
  const beforeTable: SqlToken | undefined = tokens[startOfName(tokens, at - 1) - 1];
  return isSign(beforeTable, ',') || (beforeTable?.kind === 'word' && BEFORE_TABLE.has(beforeTable.value));
}

/** Where a qualified name such as `one.two` begins. */
function startOfName(tokens: readonly SqlToken[], at: number): number {
  let start = at;
  while (isSign(tokens[start - 1], '.') && tokens[start - 2] !== undefined && isName(tokens[start - 2]))
    start -= 2;
  return start;
}

/** The places after a word that a table's name follows. */
function tablePlaces(tokens: readonly SqlToken[]): ReadonlySet<number> {
  const places = new Set<number>();
  const calls: boolean[] = [];
  tokens.forEach((token, at) => {
    const before: SqlToken | undefined = tokens[at - 1];
    if (isSign(token, '(')) calls.push(before?.kind === 'word' && WITH_FROM.has(before.value));
    else if (isSign(token, ')')) calls.pop();
    else if (token.kind !== 'word' || !BEFORE_TABLE.has(token.value)) return;
    else if (calls.at(-1) !== true && !isWord(before, 'distinct')) places.add(at + 1);
  });
  return places;
}

export function isName({ kind }: SqlToken): boolean {
  return kind === 'word' || kind === 'name';
}
