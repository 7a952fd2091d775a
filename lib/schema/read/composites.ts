import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

interface CompositeRow {
  readonly oid: number;
  readonly name: string;
  /** `"a" integer`, …, in order. */
  readonly attributes: string[];
}

/** Composite types made by CREATE TYPE. The row types of tables come with the tables. */
export async function readComposites({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<CompositeRow>(
    executor,
    `SELECT t.oid, t.typname AS name, ARRAY(
       SELECT concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
                        CASE WHEN a.attcollation NOT IN (0, own.typcollation)
                             THEN 'COLLATE ' || a.attcollation::regcollation END)
       FROM pg_attribute a JOIN pg_type own ON own.oid = a.atttypid
       WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS attributes
     FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid
     WHERE t.oid = ANY ($1::oid[]) AND t.typtype = 'c' AND c.relkind = 'c'`,
    [objects.oidsOf('pg_type')],
  );
  return found.map(({ oid, name, attributes }) => ({
    phase: Phase.Type,
    label: `type ${name}`,
    creates: [`pg_type:${oid}`],
    statements: [`CREATE TYPE ${quoteIdentifier(name)} AS (${attributes.join(', ')})`],
  }));
}
