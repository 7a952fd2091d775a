import { rows } from '../catalog';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

interface CastRow {
  readonly oid: number;
  readonly types: string;
  /** Empty for the cast from a range to its multirange, which PostgreSQL makes with the type. */
  readonly definition: string;
}

/** Casts from and to the types of the schema. A cast belongs to no schema, and each pair of types has at most one. */
export async function readCasts({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<CastRow>(
    executor,
    `SELECT c.oid, format('%s AS %s', format_type(c.castsource, NULL), format_type(c.casttarget, NULL)) AS types,
            concat_ws(' ', CASE c.castmethod WHEN 'f' THEN 'WITH FUNCTION ' || c.castfunc::regprocedure
                                             WHEN 'i' THEN 'WITH INOUT' ELSE 'WITHOUT FUNCTION' END,
                      CASE c.castcontext WHEN 'a' THEN 'AS ASSIGNMENT' WHEN 'i' THEN 'AS IMPLICIT' END) AS definition
     FROM pg_cast c WHERE c.oid = ANY ($1::oid[])`,
    [objects.oidsOf('pg_cast')],
  );
  return found
    .filter(({ oid }) => objects.ownerOf(`pg_cast:${oid}`) === undefined)
    .map(({ oid, types, definition }) => ({
      phase: castsRows(objects, oid) ? Phase.Index : Phase.Cast,
      label: `cast (${types})`,
      creates: [`pg_cast:${oid}`],
      statements: [`CREATE CAST (${types}) ${definition}`],
    }));
}

/**
 * Whether it casts a table's rows. Made first, such a cast would bring the table before the objects that the table
 * needs.
 */
function castsRows(objects: SchemaSource['objects'], oid: number): boolean {
  return objects
    .referencesOf(`pg_cast:${oid}`)
    .some((type) => objects.ownerOf(type)?.startsWith('pg_class:') === true);
}
