import { ifAny, type RareCatalog } from './catalogs-in-use';
import { roleOfSchemaSql } from '../registry/tenant-role';

/**
 * Common table expression `own_role`: the roles of the tenants whose schemas `$1::oid[]` are. Each tenant has its own,
 * made anew for each clone, so grants to these roles are not part of a schema's structure.
 */
export const OWN_ROLE = `
  own_role AS MATERIALIZED (
    SELECT r.oid FROM pg_namespace n JOIN pg_roles r ON r.rolname = ${roleOfSchemaSql('n.nspname')}
    WHERE n.oid = ANY ($1::oid[])
  )`;

/**
 * An access list without its entries for `own_role`. An empty list is written as the default list of a column, because
 * PostgreSQL refuses a plain `{}`.
 */
export function withoutOwnRole(acl: string): string {
  return `(CASE WHEN ${acl} IS NULL OR NOT EXISTS (SELECT FROM own_role) THEN ${acl} ELSE coalesce((
    SELECT array_agg(entry ORDER BY place) FROM unnest(${acl}) WITH ORDINALITY AS entries (entry, place)
    WHERE NOT EXISTS (SELECT FROM aclexplode(ARRAY[entry]) AS item JOIN own_role ON own_role.oid = item.grantee)
  ), acldefault('c', 0)) END)`;
}

const OWNED_WITHOUT_GRANTS = Object.entries({
  pg_statistic_ext: 'stxowner',
  pg_operator: 'oprowner',
  pg_opclass: 'opcowner',
  pg_opfamily: 'opfowner',
  pg_collation: 'collowner',
  pg_conversion: 'conowner',
  pg_ts_dict: 'dictowner',
  pg_ts_config: 'cfgowner',
} satisfies Partial<Record<RareCatalog, string>>)
  .map(([catalog, owner]) =>
    ifAny(
      catalog as RareCatalog,
      `UNION ALL
    SELECT m.classid, m.objid, 0, o.${owner}, NULL, NULL, NULL
    FROM member m CROSS JOIN LATERAL (SELECT ${owner} FROM ${catalog} WHERE oid = m.objid OFFSET 0) o
    WHERE m.classid = '${catalog}'::regclass`,
    ),
  )
  .join('\n    ');

/**
 * Common table expression `owned`, to stand after `OBJECTS`: all objects that have an owner, with their grants. `kind`
 * is a kind of `acldefault`, `default_kind` one of `ALTER DEFAULT PRIVILEGES`. Columns are listed only if they have
 * grants of their own. Includes `own_role`.
 *
 * Objects of kinds that cannot have grants have NULL for `acl` and both kinds.
 */
export const OWNED = `${OWN_ROLE},
  owned AS MATERIALIZED (
    SELECT 'pg_class'::regclass AS classid, oid AS objid, 0 AS objsubid, relowner AS owner, ${withoutOwnRole('relacl')} AS acl,
           CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char" AS kind,
           CASE relkind WHEN 'S' THEN 'S' ELSE 'r' END::"char" AS default_kind
    FROM relation WHERE relkind <> 'c'
    UNION ALL
    SELECT 'pg_class'::regclass, r.oid, a.attnum, r.relowner, ${withoutOwnRole('a.attacl')}, 'c', NULL
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid
    WHERE cardinality(a.attacl) > 0 AND NOT a.attisdropped
    ${ifAny(
      'pg_proc',
      `UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, 0, proowner, ${withoutOwnRole('proacl')}, 'f', 'f'
    FROM member m JOIN pg_proc p ON p.oid = m.objid
    -- Constructors of range types belong to the superuser who made the cluster.
    WHERE m.classid = 'pg_proc'::regclass AND NOT EXISTS (
      SELECT FROM pg_depend i WHERE i.classid = m.classid AND i.objid = m.objid AND i.deptype = 'i'
        AND i.refclassid = 'pg_type'::regclass)`,
    )}
    ${ifAny(
      'pg_type',
      `UNION ALL
    SELECT 'pg_type'::regclass, t.oid, 0, typowner, ${withoutOwnRole('typacl')}, 'T', 'T'
    FROM member m JOIN pg_type t ON t.oid = m.objid WHERE m.classid = 'pg_type'::regclass`,
    )}
    UNION ALL
    SELECT 'pg_namespace'::regclass, oid, 0, nspowner, ${withoutOwnRole('nspacl')}, 'n', 'n' FROM pg_namespace WHERE oid = ANY ($1::oid[])
    ${OWNED_WITHOUT_GRANTS}
  )`;
