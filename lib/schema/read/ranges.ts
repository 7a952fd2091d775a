import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import { objectName } from '../object-name';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

interface RangeRow {
  readonly oid: number;
  readonly name: string;
  /** `SUBTYPE = integer`, … */
  readonly properties: string[];
  readonly multirange: string;
  readonly constructors: readonly Constructor[];
}

interface Constructor {
  readonly name: string;
  readonly arguments: string;
  readonly ofMultirange: boolean;
}

/** Range types, with their multiranges and the constructors of both. */
export async function readRanges({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<RangeRow>(
    executor,
    `SELECT t.oid, t.typname AS name, multi.typname AS multirange,
            array_remove(ARRAY[
              'SUBTYPE = ' || format_type(r.rngsubtype, NULL),
              'SUBTYPE_OPCLASS = ' || ${objectName('pg_opclass', 'r.rngsubopc')},
              CASE WHEN r.rngcollation NOT IN (0, subtype.typcollation)
                   THEN 'COLLATION = ' || r.rngcollation::regcollation END,
              'SUBTYPE_DIFF = ' || ${objectName('pg_proc', 'r.rngsubdiff')}
            ], NULL) AS properties,
            (SELECT json_agg(json_build_object(
                      'name', p.proname, 'arguments', pg_get_function_identity_arguments(p.oid),
                      'ofMultirange', d.refobjid = multi.oid) ORDER BY d.refobjid = multi.oid, p.pronargs, p.proargtypes)
             FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
             WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, multi.oid)
               AND d.classid = 'pg_proc'::regclass AND d.deptype = 'i') AS constructors
     FROM unnest($1::oid[]) AS own (oid)
     CROSS JOIN LATERAL (SELECT * FROM pg_range WHERE rngtypid = own.oid OFFSET 0) r
     JOIN pg_type t ON t.oid = r.rngtypid
     JOIN pg_type subtype ON subtype.oid = r.rngsubtype JOIN pg_type multi ON multi.oid = r.rngmultitypid`,
    [objects.oidsOf('pg_type')],
  );
  return found.map((range) => ({
    phase: Phase.Type,
    label: `type ${range.name}`,
    creates: [`pg_type:${range.oid}`],
    statements: [createRange(range), ...renamedConstructors(range)],
  }));
}

function createRange({ name, properties, multirange }: RangeRow): string {
  const all = [...properties, `MULTIRANGE_TYPE_NAME = ${quoteIdentifier(multirange)}`];
  return `CREATE TYPE ${quoteIdentifier(name)} AS RANGE (${all.join(', ')})`;
}

/** The constructors keep their names when the type is renamed. */
function renamedConstructors({ name, multirange, constructors }: RangeRow): string[] {
  return constructors
    .map((made) => ({ made, first: made.ofMultirange ? multirange : name }))
    .filter(({ made, first }) => made.name !== first)
    .map(
      ({ made, first }) =>
        `ALTER FUNCTION ${quoteIdentifier(first)}(${made.arguments}) RENAME TO ${quoteIdentifier(made.name)}`,
    );
}
