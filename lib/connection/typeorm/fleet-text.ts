import { isSign } from '../../common/sql-lexer';
import { splitStatements, wordsOf } from '../../common/split-statements';
import { FleetTextError } from '../connection.errors';

/** A statement that reads. */
export interface FleetText {
  readonly sql: string;
  /** Whether its rows can be fetched by a cursor. What else there is has few. */
  readonly isRows: boolean;
}

const ROWS: ReadonlySet<string> = new Set(['select', 'values', 'table', 'with']);
const FEW: ReadonlySet<string> = new Set(['show', 'explain']);

/**
 * The one statement of a text. That it only reads is for PostgreSQL to say: this is so that a mistake is one error, and
 * not one for each tenant.
 *
 * @throws FleetTextError, TypeError
 */
export function readFleetText(sql: string): FleetText {
  if (typeof sql !== 'string') throw new TypeError('FleetReader.query() takes a text of SQL.');
  if (sql.includes('\0')) throw new FleetTextError('has a NUL character, which PostgreSQL cannot read');
  const statements = splitStatements(sql);
  if (statements === undefined)
    throw new FleetTextError('has a quote, a comment or a parenthesis that does not end');
  if (statements.length === 0) throw new FleetTextError('is empty');
  if (statements.length > 1) throw new FleetTextError(`has ${statements.length} statements`);
  const [{ text, head }] = statements;
  const word = wordsOf(head)[0] ?? '';
  const isRows = ROWS.has(word) || isSign(head[0], '(');
  if (!isRows && !FEW.has(word))
    throw new FleetTextError(`begins with ${word === '' ? 'no word' : word.slice(0, 40).toUpperCase()}`);
  return { sql: text, isRows };
}
