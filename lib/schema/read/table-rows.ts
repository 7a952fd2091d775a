import { quoteIdentifier, quoteLiteral } from '../../common/sql';
import { rows } from '../catalog';
import type { Obstacle } from '../schema.errors';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

/** Where TypeORM stores the expressions of views and generated columns. These rows are structure. */
const TYPEORM_METADATA = 'typeorm_metadata';

interface Table {
  readonly name: string;
  /** Whether the current user cannot see all of its rows, because of missing grants or of policies. */
  readonly closed: boolean;
}

/** The rows that a clone gets, and, as obstacles, the tables whose rows it would lack, except those in `filled`. */
export async function readTableRows(
  source: SchemaSource,
  filled: readonly string[] | 'all',
): Promise<{ readonly steps: Step[]; readonly obstacles: Obstacle[] }> {
  const tables = await rows<Table & { columns: string[] }>(
    source.executor,
    `SELECT c.relname AS name, row_security_active(c.oid) OR NOT has_table_privilege(c.oid, 'SELECT') AS closed, ARRAY(
       SELECT attname::text FROM pg_attribute
       WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum) AS columns
     FROM pg_class c WHERE c.oid = ANY ($1::oid[]) AND c.relkind = 'r' ORDER BY c.relname`,
    [source.objects.oidsOf('pg_class')],
  );
  const metadata = tables.find(({ name }) => name === TYPEORM_METADATA);
  return {
    steps: metadata ? await readMetadataRows(source, metadata.columns) : [],
    obstacles: await readFilledTables(
      source,
      tables.filter(({ name }) => name !== TYPEORM_METADATA && filled !== 'all' && !filled.includes(name)),
    ),
  };
}

async function readMetadataRows(
  { executor, schema }: SchemaSource,
  columns: readonly string[],
): Promise<Step[]> {
  const table = quoteIdentifier(TYPEORM_METADATA);
  const found = await rows<{ values: (string | null)[] }>(
    executor,
    `SELECT ARRAY[${columns.map((column) => `${quoteIdentifier(column)}::pg_catalog.text`).join(', ')}]::pg_catalog.text[] AS values
     FROM ${table} AS metadata ORDER BY metadata::pg_catalog.text`,
  );
  if (found.length === 0) return [];
  const tuples = found.map(({ values }) =>
    values.map((value, place) => {
      if (value === null) return 'NULL';
      // TypeORM records the schema in which it worked, and looks rows up by the schema in which it works.
      const isOwnName = columns[place] === 'schema' && value === schema.name;
      return isOwnName ? 'pg_catalog.current_schema()' : quoteLiteral(value);
    }),
  );
  return [
    {
      phase: Phase.Rows,
      label: `rows of table ${TYPEORM_METADATA}`,
      creates: [],
      statements: [
        `INSERT INTO ${table} (${columns.map(quoteIdentifier).join(', ')}) OVERRIDING SYSTEM VALUE ` +
          `VALUES ${tuples.map((tuple) => `(${tuple.join(', ')})`).join(', ')}`,
      ],
    },
  ];
}

/** A user who may not see rows still sees that the table takes up space, which it does until TRUNCATE or VACUUM. */
async function readFilledTables({ executor }: SchemaSource, tables: readonly Table[]): Promise<Obstacle[]> {
  if (tables.length === 0) return [];
  const isFilled = ({ name, closed }: Table) =>
    closed
      ? `pg_catalog.pg_relation_size(${quoteLiteral(quoteIdentifier(name))}::pg_catalog.regclass) OPERATOR(pg_catalog.>) 0::pg_catalog.int8`
      : `EXISTS (SELECT FROM ONLY ${quoteIdentifier(name)})`;
  const filled = await rows<{ place: number }>(
    executor,
    tables.map((table, place) => `SELECT ${place} AS place WHERE ${isFilled(table)}`).join(' UNION ALL '),
  );
  return filled.map(({ place }) => ({
    object: `rows of table ${tables[place].name}`,
    remedy:
      'a clone has the structure, not the rows. If every tenant begins with these rows, name the table in ' +
      'templateData; else delete them here.',
  }));
}
