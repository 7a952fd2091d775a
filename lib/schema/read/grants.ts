import { rows } from '../catalog';
import { neededFor } from '../catalogs-in-use';
import { OBJECTS } from '../objects';
import { OWNED } from '../owned';
import { Phase, type Step } from '../clone-order';
import { type Grant, grantStatements, type GrantTarget } from './grant-statements';
import type { SchemaSource } from './source';

interface GrantRow {
  readonly kind: string;
  readonly name: string;
  readonly column: string | null;
  readonly wanted: Grant[];
  readonly usual: Grant[];
}

/**
 * Grants on objects of the schema, as far as they differ from those that a new object gets by PostgreSQL's own rule or
 * by `ALTER DEFAULT PRIVILEGES` for all schemas.
 */
export async function readGrants({ executor, schema }: SchemaSource): Promise<Step[]> {
  const found = await rows<GrantRow>(
    executor,
    neededFor(
      schema.catalogs,
      `WITH ${OBJECTS}, ${OWNED}
     SELECT target.kind, target.name, target.column, ${grantItems('wanted')} AS wanted, ${grantItems('usual')} AS usual
     FROM owned
     CROSS JOIN LATERAL (${GRANTS_OF_OWNED}) AS grants
     CROSS JOIN LATERAL (${TARGET}) AS target
     WHERE owned.kind IS NOT NULL AND classid <> 'pg_namespace'::regclass
       AND NOT (wanted @> usual AND wanted <@ usual)
     ORDER BY target.kind, target.name, objsubid`,
    ),
    [[schema.oid]],
  );
  const targets = found.map(({ column, ...row }): GrantTarget =>
    column === null ? row : { ...row, column },
  );
  const statements = grantStatements(targets);
  return statements.length === 0 ? [] : [{ phase: Phase.Grant, label: 'grants', creates: [], statements }];
}

/**
 * The grants of one row of `owned`. Default privileges for all schemas replace PostgreSQL's own; they are not added to
 * them.
 */
export const GRANTS_OF_OWNED = `
  SELECT coalesce(owned.acl, acldefault(owned.kind, owned.owner)) AS wanted,
         coalesce((SELECT defaclacl FROM pg_default_acl
                   WHERE defaclrole = owned.owner AND defaclnamespace = 0 AND defaclobjtype = owned.default_kind),
                  acldefault(owned.kind, owned.owner)) AS usual`;

/** SQL: JSON of `Grant[]`. */
export function grantItems(acl: string): string {
  return `(SELECT coalesce(jsonb_agg(jsonb_build_object(
             'to', CASE item.grantee WHEN 0 THEN 'PUBLIC' ELSE item.grantee::regrole::text END,
             'privilege', item.privilege_type, 'grantable', item.is_grantable) ORDER BY item.place), '[]')
           FROM aclexplode(${acl}) WITH ORDINALITY AS item (grantor, grantee, privilege_type, is_grantable, place))`;
}

/** GRANT names an aggregate by its types alone, and any other routine by its whole signature. */
const TARGET = `
  SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, quote_ident(c.relname) AS name, (
    SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = objid AND attnum = objsubid AND objsubid <> 0) AS column
  FROM pg_class c WHERE classid = 'pg_class'::regclass AND c.oid = objid
  UNION ALL
  SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, format('%I(%s)', p.proname, CASE p.prokind
      WHEN 'a' THEN (SELECT string_agg(format_type(type, NULL), ', ' ORDER BY place)
                     FROM unnest(p.proargtypes) WITH ORDINALITY AS argument (type, place))
      ELSE pg_get_function_identity_arguments(p.oid) END), NULL
  FROM pg_proc p WHERE classid = 'pg_proc'::regclass AND p.oid = objid
  UNION ALL
  SELECT 'TYPE', quote_ident(t.typname), NULL FROM pg_type t WHERE classid = 'pg_type'::regclass AND t.oid = objid`;
