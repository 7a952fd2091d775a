import type { SqlExecutor } from '../common/sql';
import { type CatalogSchema, rows } from './catalog';
import { ifAny, neededFor } from './catalogs-in-use';
import type { READ_CATALOGS } from './read-catalogs';
import { OWN_CASTS, TYPE_MEMBERS, TYPE_PARTS } from './type-objects';

/** Catalog and oid, as `pg_class:16384`. */
export type ObjectKey = string;

/**
 * Common table expressions: `member` (what lies in the schemas `$1::oid[]`), `relation` (their tables, views and
 * sequences), and `object` (all of it with its parts: row and array types, indexes, constraints, defaults, rules and
 * triggers, each with the object that it belongs to).
 *
 * Members are found through pg_depend, whose index is the only one by namespace. pg_class and pg_proc would be read
 * whole, and they grow with the number of tenants.
 */
export const OBJECTS = `
  member AS MATERIALIZED (
    SELECT DISTINCT refobjid AS schema, classid, objid FROM pg_depend
    WHERE refclassid = 'pg_namespace'::regclass AND refobjid = ANY ($1::oid[]) AND refobjsubid = 0
  ),
  relation AS MATERIALIZED (
    SELECT c.*, m.schema FROM member m JOIN pg_class c ON c.oid = m.objid WHERE m.classid = 'pg_class'::regclass
  ),
  own_type AS MATERIALIZED (
    SELECT t.oid, t.typarray, r.schema, r.oid AS relid FROM relation r JOIN pg_type t ON t.oid = r.reltype
    ${ifAny(
      'pg_type',
      `UNION ALL
    SELECT t.oid, t.typarray, m.schema, NULL
    FROM member m JOIN pg_type t ON t.oid = m.objid WHERE m.classid = 'pg_type'::regclass`,
    )}
  ),
  ${ifAny(
    'pg_cast',
    `own_cast AS MATERIALIZED (${OWN_CASTS}
  ),`,
  )}
  object AS MATERIALIZED (${TYPE_MEMBERS}${TYPE_PARTS}
    UNION ALL
    SELECT schema, 'pg_type'::regclass, oid, 'pg_class'::regclass, relid FROM own_type WHERE relid IS NOT NULL
    UNION ALL
    SELECT schema, 'pg_type'::regclass, typarray, 'pg_type'::regclass, oid FROM own_type WHERE typarray <> 0
    UNION ALL
    SELECT r.schema, 'pg_class'::regclass, i.indexrelid,
           CASE WHEN con.oid IS NULL THEN 'pg_class'::regclass ELSE 'pg_constraint'::regclass END,
           coalesce(con.oid, r.oid)
    FROM relation r JOIN pg_index i ON i.indrelid = r.oid
    LEFT JOIN pg_constraint con
      ON con.conrelid = r.oid AND con.conindid = i.indexrelid AND con.contype IN ('p', 'u', 'x')
    UNION ALL
    SELECT r.schema, 'pg_constraint'::regclass, con.oid,
           CASE WHEN tg.oid IS NULL THEN 'pg_class'::regclass ELSE 'pg_trigger'::regclass END,
           coalesce(tg.oid, r.oid)
    FROM relation r JOIN pg_constraint con ON con.conrelid = r.oid
    LEFT JOIN pg_trigger tg ON con.contype = 't' AND tg.tgconstraint = con.oid
    UNION ALL
    SELECT r.schema, 'pg_attrdef'::regclass, d.oid, 'pg_class'::regclass, r.oid
    FROM relation r JOIN pg_attrdef d ON d.adrelid = r.oid
    ${ifAny(
      'pg_rewrite',
      `UNION ALL
    SELECT r.schema, 'pg_rewrite'::regclass, w.oid, 'pg_class'::regclass, r.oid
    FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid`,
    )}
    ${ifAny(
      'pg_trigger',
      `UNION ALL
    SELECT r.schema, 'pg_trigger'::regclass, tg.oid,
           CASE WHEN tg.tgisinternal THEN 'pg_constraint'::regclass ELSE 'pg_class'::regclass END,
           CASE WHEN tg.tgisinternal THEN tg.tgconstraint ELSE r.oid END
    FROM relation r JOIN pg_trigger tg ON tg.tgrelid = r.oid`,
    )}
    ${ifAny(
      'pg_policy',
      `UNION ALL
    SELECT r.schema, 'pg_policy'::regclass, pol.oid, 'pg_class'::regclass, r.oid
    FROM relation r JOIN pg_policy pol ON pol.polrelid = r.oid`,
    )}
    ${ifAny(
      'pg_publication_rel',
      `UNION ALL
    SELECT r.schema, 'pg_publication_rel'::regclass, pr.oid, 'pg_class'::regclass, r.oid
    FROM relation r JOIN pg_publication_rel pr ON pr.prrelid = r.oid`,
    )}
  )`;

/** Everything that lies in one schema, with its parts and what each of them needs. */
export class SchemaObjects {
  private readonly owners = new Map<ObjectKey, ObjectKey>();
  private readonly references = new Map<ObjectKey, readonly ObjectKey[]>();
  private readonly oids = new Map<string, number[]>();

  constructor(
    private readonly schema: CatalogSchema,
    found: readonly ObjectRow[],
  ) {
    for (const { catalog, oid, owner, refs } of found) {
      const key = `${catalog}:${oid}`;
      if (owner !== null) this.owners.set(key, owner);
      this.references.set(key, refs ?? []);
      const oids = this.oids.get(catalog);
      if (oids) oids.push(oid);
      else this.oids.set(catalog, [oid]);
    }
  }

  oidsOf(catalog: (typeof READ_CATALOGS)[number]): number[] {
    return this.oids.get(catalog) ?? [];
  }

  keys(): Iterable<ObjectKey> {
    return this.references.keys();
  }

  /**
   * The object that this one is a part of: for an index, its constraint or table. `undefined` for an object that stands
   * alone.
   */
  ownerOf(key: ObjectKey): ObjectKey | undefined {
    return this.owners.get(key);
  }

  /** The objects of this schema that the object depends on, by pg_depend. */
  referencesOf(key: ObjectKey): ObjectKey[] {
    return (this.references.get(key) ?? []).filter((reference) => this.has(reference));
  }

  has(key: ObjectKey): boolean {
    return this.references.has(key) || key === `pg_namespace:${this.schema.oid}`;
  }

  /** Whether it calls a function or operator of the schema, so that it must be made after that. */
  callsFunction(key: ObjectKey): boolean {
    return this.referencesOf(key).some((reference) => /^pg_(proc|operator):/.test(reference));
  }
}

interface ObjectRow {
  readonly catalog: string;
  readonly oid: number;
  readonly owner: ObjectKey | null;
  readonly refs: ObjectKey[] | null;
}

export async function readObjects(executor: SqlExecutor, schema: CatalogSchema): Promise<SchemaObjects> {
  return new SchemaObjects(
    schema,
    await rows<ObjectRow>(
      executor,
      neededFor(
        schema.catalogs,
        `WITH ${OBJECTS}
       SELECT o.classid::regclass::text AS catalog, o.objid AS oid, d.refs,
              CASE WHEN o.ownerid IS NOT NULL THEN format('%s:%s', o.ownerclass::regclass, o.ownerid) END AS owner
       FROM object o
       CROSS JOIN LATERAL (
         SELECT array_agg(DISTINCT format('%s:%s', d.refclassid::regclass, d.refobjid)) AS refs
         FROM pg_depend d WHERE d.classid = o.classid AND d.objid = o.objid
       ) d`,
      ),
      [[schema.oid]],
    ),
  );
}
