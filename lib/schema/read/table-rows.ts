import { quoteIdentifier, quoteLiteral } from '../../common/sql';
import { rows } from '../catalog';
import type { Obstacle } from '../schema.errors';
import { Phase, type Step } from '../steps';
import type { SchemaSource } from './source';

/** Where TypeORM keeps the expressions of views and generated columns: rows that are structure. */
const TYPEORM_METADATA = 'typeorm_metadata';

/** The rows that are cloned, and the tables whose rows would be lost. */
export async function readTableRows(
  source: SchemaSource,
): Promise<{ readonly steps: Step[]; readonly obstacles: Obstacle[] }> {
  const tables = await rows<{ name: string; columns: string[] }>(
    source.executor,
    `SELECT c.relname AS name, ARRAY(
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
      tables.map(({ name }) => name).filter((name) => name !== TYPEORM_METADATA),
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
    `SELECT ARRAY[${columns.map((column) => `${quoteIdentifier(column)}::text`).join(', ')}]::text[] AS values
     FROM ${table} AS metadata ORDER BY metadata::text`,
  );
  if (found.length === 0) return [];
  const tuples = found.map(({ values }) =>
    values.map((value, place) => {
      if (value === null) return 'NULL';
      // TypeORM records the schema it worked in, and looks rows up by the schema it works in.
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

async function readFilledTables({ executor }: SchemaSource, names: readonly string[]): Promise<Obstacle[]> {
  if (names.length === 0) return [];
  const filled = await rows<{ place: number }>(
    executor,
    names
      .map(
        (name, place) => `SELECT ${place} AS place WHERE EXISTS (SELECT FROM ONLY ${quoteIdentifier(name)})`,
      )
      .join(' UNION ALL '),
  );
  return filled.map(({ place }) => ({
    object: `rows of table ${names[place]}`,
    remedy:
      'a clone has the structure, not the rows. Delete them here, and insert what every tenant needs when the tenant ' +
      'has been created.',
  }));
}
