import { splitStatements } from '../../common/split-statements';
import { type SqlToken, tokensOf } from '../../common/sql-lexer';

/** A name with a schema before it. */
export interface QualifiedName {
  readonly schema: string;
  readonly name: string;
  /** As it stands in the statement: `"public"."state"`. */
  readonly text: string;
  /** The same without the schema: `"state"`. */
  readonly bare: string;
}

/** A statement as its tokens, with the text that they are of. */
interface Statement {
  readonly source: string;
  readonly tokens: readonly SqlToken[];
}

/**
 * Names that one of the schemas stands before. Looks into bodies in dollar quotes, too. A table or an alias that is
 * called as a schema is cannot be told from it.
 */
export function qualifiedNames(text: string, isSchema: (name: string) => boolean): QualifiedName[] {
  const tokens = [...tokensOf(text)];
  const found = tokens.flatMap((token, i) => {
    if (token.kind === 'text' && text[token.start] === '$') return qualifiedNames(token.value, isSchema);
    const name = nameAt({ source: text, tokens }, i);
    return name && isSchema(name.schema) && tokens[i - 1]?.value !== '.' ? [name] : [];
  });
  return [...new Map(found.map((each) => [each.text, each])).values()];
}

/** What the statements of a text write to or change, where they say its schema; not what they read or refer to. */
export function writtenNames(text: string): QualifiedName[] {
  return statementsOf(text).flatMap((statement) => {
    const verb = statement.tokens[0].value;
    if (verb === 'create') return createdBy(statement);
    if (verb === 'alter') return firstName(statement, 2);
    if (CHANGES_ALL_IT_NAMES.has(verb))
      return statement.tokens.flatMap((_token, i) => nameAt(statement, i) ?? []);
    return statement.tokens.flatMap((_token, i) =>
      isRowTarget(statement, i) ? firstName(statement, i + 1) : [],
    );
  });
}

/** The statement of a text that changes the session's search_path, as far as its text shows. */
export function pathChange(text: string): string | undefined {
  // Most texts are no business of this.
  if (!/search_path|\b(?:schema|reset|discard)\b/i.test(text)) return undefined;
  return statementsOf(text)
    .filter(changesPath)
    .map(({ source, tokens }) => source.slice(tokens[0].start, tokens.at(-1)?.end))
    .at(-1);
}

/** Whether a statement of a text is `ALTER TYPE … ADD VALUE`. */
export function addsEnumValue(text: string): boolean {
  if (!/\badd\s+value\b/i.test(text)) return false;
  return statementsOf(text).some(({ tokens }) => tokens[0].value === 'alter' && tokens[1]?.value === 'type');
}

const CHANGES_ALL_IT_NAMES = new Set([
  'drop',
  'truncate',
  'comment',
  'grant',
  'revoke',
  'refresh',
  'reindex',
  'copy',
]);

/** What stands between a verb and the name that it is about. */
const BEFORE_NAME = new Set(['if', 'not', 'exists', 'only', 'table', 'concurrently']);

/** What these make belongs to the table that they name after ON, or TO. */
const ON_A_TABLE: Readonly<Record<string, string>> = { index: 'on', trigger: 'on', policy: 'on', rule: 'to' };

function createdBy(statement: Statement): QualifiedName[] {
  const words = statement.tokens.map(({ kind, value }) => (kind === 'word' ? value : ''));
  const kind = words.findIndex((word, i) => i > 0 && !CREATE_MODIFIERS.has(word));
  if (words[kind] === 'schema' || words[kind] === 'extension') return [];
  const link = ON_A_TABLE[words[kind]];
  return firstName(statement, link === undefined ? kind + 1 : words.indexOf(link, kind) + 1);
}

const CREATE_MODIFIERS = new Set([
  ...[
    'or',
    'replace',
    'unique',
    'unlogged',
    'global',
    'local',
    'temp',
    'temporary',
    'materialized',
    'foreign',
  ],
  ...['constraint', 'recursive', 'text', 'search', 'event'],
]);

/** Whether the name that follows is that of a table whose rows change. */
function isRowTarget({ tokens }: Statement, i: number): boolean {
  const [before, { kind, value }] = [tokens[i - 1]?.value, tokens[i]];
  if (kind !== 'word') return false;
  return value === 'into' || value === 'update' || (value === 'from' && before === 'delete');
}

/** The name there, after words that may stand before one; none when it says no schema. */
function firstName(statement: Statement, start: number): QualifiedName[] {
  let i = start;
  while (statement.tokens[i]?.kind === 'word' && BEFORE_NAME.has(statement.tokens[i].value)) i++;
  const name = nameAt(statement, i);
  return name ? [name] : [];
}

function nameAt({ source, tokens }: Statement, i: number): QualifiedName | undefined {
  const [schema, dot, name] = tokens.slice(i, i + 3);
  if (!isName(schema) || dot?.value !== '.' || !isName(name)) return undefined;
  return {
    schema: schema.value,
    name: name.value,
    text: source.slice(schema.start, name.end),
    bare: source.slice(name.start, name.end),
  };
}

const NAMES: ReadonlySet<SqlToken['kind'] | undefined> = new Set(['word', 'name', 'escaped']);

function isName(token: SqlToken | undefined): token is SqlToken {
  return NAMES.has(token?.kind);
}

function changesPath({ tokens }: Statement): boolean {
  const [first, second, third] = tokens.map(({ value }) => value.toLowerCase());
  const isSetConfig = tokens.some(
    ({ value }, i) =>
      value === 'set_config' && tokens[i + 1]?.value === '(' && tokens[i + 2]?.value === 'search_path',
  );
  if (isSetConfig) return first !== 'create' && first !== 'alter';
  if (first === 'set') return ['search_path', 'schema'].includes(SET_SCOPES.has(second) ? third : second);
  return (
    (first === 'reset' && ['all', 'search_path'].includes(second)) ||
    (first === 'discard' && second === 'all')
  );
}

const SET_SCOPES = new Set(['session', 'local']);

/** A text whose statements cannot be told apart PostgreSQL refuses: what can be read of it is taken for one. */
function statementsOf(text: string): Statement[] {
  const sources = splitStatements(text)?.map((statement) => statement.text) ?? [text];
  return sources
    .map((source) => ({ source, tokens: [...tokensOf(source)] }))
    .filter(({ tokens }) => tokens.length > 0);
}
