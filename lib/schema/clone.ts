import { type SqlExecutor, quoteIdentifier } from '../common/sql';
import type { Blueprint } from './blueprint';
import { withSearchPath } from './catalog';
import { withOwnName } from './own-name';

/**
 * Function bodies may name objects that are made later. Where a statement says nothing, PostgreSQL's own defaults must
 * hold.
 */
const REPLAY_PARAMETERS = {
  check_function_bodies: 'off',
  default_tablespace: '',
  default_table_access_method: 'heap',
};

/**
 * Makes the schema and everything in it, in one message, within the caller's transaction. The session's parameters are
 * restored. The schema must not exist yet. `fill` is called when the tables exist and before any constraint, index or
 * trigger that would check or react to their rows.
 *
 * @throws TransactionRequiredError when no transaction is open
 */
export async function replayBlueprint(
  executor: SqlExecutor,
  { statements, rowsAt, sharedSchemas }: Pick<Blueprint, 'statements' | 'rowsAt' | 'sharedSchemas'>,
  schemaName: string,
  fill?: () => Promise<void>,
): Promise<void> {
  const create = `CREATE SCHEMA ${quoteIdentifier(schemaName)}`;
  const parts = fill ? [statements.slice(0, rowsAt), statements.slice(rowsAt)] : [statements, []];
  const [before, after] = parts.map((part) => withOwnName(part.join(';\n'), schemaName));
  await withSearchPath(
    executor,
    schemaName,
    async () => {
      await executor.query(`${create};\n${before}`);
      await fill?.();
      if (after !== '') await executor.query(after);
    },
    REPLAY_PARAMETERS,
    sharedSchemas,
  );
}
