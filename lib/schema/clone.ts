import { type SqlExecutor, quoteIdentifier } from '../common/sql';
import type { Blueprint } from './blueprint';
import { withSearchPath } from './catalog';
import { withOwnName } from './own-name';

/** Function bodies may name what is made after them. What a statement leaves out is PostgreSQL's own default. */
const REPLAY_SETTINGS = {
  check_function_bodies: 'off',
  default_tablespace: '',
  default_table_access_method: 'heap',
};

/**
 * Makes the schema and everything in it, in one message, within the caller's transaction. Settings are put back.
 * A schema of that name may not exist yet. `fill`, if given, is called when tables are there, and before what checks,
 * indexes or heeds their rows.
 *
 * @throws TransactionRequiredError
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
    REPLAY_SETTINGS,
    sharedSchemas,
  );
}
