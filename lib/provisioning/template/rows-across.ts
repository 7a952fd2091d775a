import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import type { Blueprint } from '../../schema/blueprint';
import { replayBlueprint } from '../../schema/clone';
import { verifyReplay } from '../../schema/verify';
import { type Mask, readDataColumns, type TableColumns, TYPEORM_METADATA } from './template-data';

/** Rows in one message. */
const ROWS_AT_ONCE = 200;

/** With these a value's text is read back as the same value. */
const TEXTS = `SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL bytea_output = 'hex';
  SET LOCAL extra_float_digits = 1; SET LOCAL lc_monetary = 'C'`;

/** Whose rows a new schema begins with. */
export interface RowsToCopy {
  readonly tables: readonly string[] | 'all';
  readonly mask?: Mask;
}

/**
 * Makes a schema from a blueprint, and verifies it.
 *
 * @param source a transaction in the database that the blueprint was compiled in
 * @param home one in the database that is to have the schema: the same, or in another database, to which rows are carried
 */
export async function replayInto(
  home: SqlExecutor,
  source: SqlExecutor,
  blueprint: Blueprint,
  schemaName: string,
  rows: RowsToCopy,
): Promise<void> {
  if (home === source) await replayBlueprint(home, blueprint, schemaName);
  else await replayAcross(home, source, blueprint, schemaName, rows);
  await verifyReplay(home, blueprint, schemaName);
}

async function replayAcross(
  home: SqlExecutor,
  source: SqlExecutor,
  blueprint: Blueprint,
  schemaName: string,
  { tables, mask = {} }: RowsToCopy,
): Promise<void> {
  const { statements, rowsAt, copies, sharedSchemas } = blueprint;
  const structure = [...statements.slice(0, rowsAt), ...statements.slice(rowsAt + (copies ?? 0))];
  const known = await readDataColumns(source, blueprint.schemaName);
  const wanted = known.filter(({ name }) =>
    tables === 'all' ? name !== TYPEORM_METADATA : tables.includes(name),
  );
  await replayBlueprint(home, { statements: structure, rowsAt, sharedSchemas }, schemaName, async () => {
    await source.query(TEXTS);
    await home.query(TEXTS);
    for (const table of wanted)
      await carryRows(
        home,
        source,
        blueprint.schemaName,
        table,
        Object.hasOwn(mask, table.name) ? mask[table.name] : {},
      );
  });
}

/** As texts, which types of one name read alike in every database. The path of `home` begins with the new schema. */
async function carryRows(
  home: SqlExecutor,
  source: SqlExecutor,
  sourceSchema: string,
  { name, columns }: TableColumns,
  mask: Readonly<Record<string, string | null>>,
): Promise<void> {
  const table = quoteIdentifier(name);
  const from = `FROM ONLY ${quoteIdentifier(sourceSchema)}.${table}`;
  if (columns.length === 0) {
    const [{ count }] = (await source.query(`SELECT pg_catalog.count(*) AS count ${from}`)) as {
      count: string;
    }[];
    // A table without columns can still have rows.
    await home.query(`INSERT INTO ${table} SELECT FROM pg_catalog.generate_series(1, $1::bigint)`, [count]);
    return;
  }
  const values = columns.map((column) => {
    const expression = Object.hasOwn(mask, column) ? mask[column] : quoteIdentifier(column);
    return expression === null ? 'NULL' : `(${expression}\n)::pg_catalog.text`;
  });
  const types = await typesOf(home, table, columns);
  const insert =
    `INSERT INTO ${table} (${columns.map(quoteIdentifier).join(', ')}) OVERRIDING SYSTEM VALUE ` +
    `SELECT ${types.map((type, i) => `(held ->> ${i})::${type}`).join(', ')} FROM pg_catalog.json_array_elements($1::json) AS held`;
  await source.query(
    `DECLARE tenancy_rows NO SCROLL CURSOR FOR SELECT pg_catalog.array_to_json(ARRAY[${values.join(', ')}]::pg_catalog.text[])::pg_catalog.text AS held ${from}`,
  );
  for (;;) {
    const rows = (await source.query(`FETCH ${ROWS_AT_ONCE} FROM tenancy_rows`)) as { held: string }[];
    if (rows.length > 0) await home.query(insert, [`[${rows.map(({ held }) => held).join(',')}]`]);
    if (rows.length < ROWS_AT_ONCE) break;
  }
  await source.query('CLOSE tenancy_rows');
}

async function typesOf(home: SqlExecutor, table: string, columns: readonly string[]): Promise<string[]> {
  const found = (await home.query(
    `SELECT a.attname::text AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type
     FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped`,
    [table],
  )) as { name: string; type: string }[];
  const types = new Map(found.map(({ name, type }) => [name, type]));
  return columns.map((column) => types.get(column)!);
}
