import { rows } from '../catalog';
import { isPartitioning, type Relation } from './relations';
import type { SchemaSource } from './source';
import { ofRelation, parameterList } from '../storage-parameters';

export interface Constraint {
  readonly oid: number;
  readonly tableOid: number;
  readonly tableName: string;
  readonly name: string;
  /** Rises in the order in which PostgreSQL handles them: foreign keys fire, and keys are checked, in that order. */
  readonly age: number;
  readonly type: 'p' | 'u' | 'x' | 'c' | 'f' | 'n';
  readonly valid: boolean;
  /** Whether the table itself declares it. It may also be inherited. */
  readonly local: boolean;
  readonly columns: string;
  readonly definition: string;
  /** Storage parameters of the index behind it, which the printed definition leaves out. */
  readonly indexOptions: string | null;
  /** For a foreign key of a partition, the key of the partitioned table that it is part of. */
  readonly parentOid: number | null;
  /** The constraints that PostgreSQL makes with this one: for a foreign key, one for each partition on either side. */
  readonly parts: number[];
  /** Whether it is valid although the parent's constraint that it came from is not. */
  readonly validated: boolean;
}

/**
 * Constraints of tables. Left out: those of constraint triggers, which come with the trigger; valid NOT NULLs, which
 * come with the column; and those by which a foreign key refers to single partitions.
 */
export function readConstraints({ executor, objects }: SchemaSource): Promise<Constraint[]> {
  return rows(
    executor,
    // Triggers fire in the order of their names. The names of a foreign key's triggers hold an oid as text: 100000
    // sorts before 99999.
    `SELECT con.oid, con.conrelid AS "tableOid", c.relname AS "tableName", con.conname AS name, con.contype AS type,
            con.convalidated AS valid, con.conkey::text AS columns, pg_get_constraintdef(con.oid) AS definition,
            con.conislocal AS local,
            row_number() OVER (ORDER BY (
              SELECT tgname FROM pg_trigger WHERE tgconstraint = con.oid ORDER BY tgname LIMIT 1), con.oid)::int AS age,
            CASE WHEN con.contype IN ('p', 'u', 'x') THEN ${parameterList(ofRelation('i'))} END AS "indexOptions",
            CASE WHEN con.contype = 'f' THEN parent.oid END AS "parentOid",
            CASE WHEN con.contype = 'f' AND parent.oid IS NULL THEN ARRAY(${PARTS}) ELSE '{}' END AS parts,
            con.convalidated AND (NOT parent.convalidated OR con.contype = 'c' AND EXISTS (
              SELECT FROM pg_inherits h JOIN pg_constraint p ON p.conrelid = h.inhparent
              WHERE h.inhrelid = con.conrelid AND con.coninhcount > 0 AND p.contype = 'c' AND p.conname = con.conname
                AND NOT p.convalidated)) IS TRUE AS validated
     FROM pg_constraint con
     JOIN pg_class c ON c.oid = con.conrelid
     LEFT JOIN pg_class i ON i.oid = con.conindid
     LEFT JOIN pg_constraint parent ON parent.oid = con.conparentid
     WHERE con.oid = ANY ($1::oid[]) AND con.contype IN ('p', 'u', 'x', 'c', 'f', 'n')
       AND NOT (con.contype = 'n' AND con.convalidated)
       AND NOT coalesce(parent.conrelid = con.conrelid, false)
     ORDER BY con.contype, con.oid`,
    [objects.oidsOf('pg_constraint')],
  );
}

/**
 * Oids of all constraints below `con`. They are looked up one by one: nearly all constraints have the same parent,
 * none, so the planner would read the constraints of all tenants each time.
 */
const PARTS = `
  WITH RECURSIVE part AS (
    SELECT con.oid
    UNION ALL
    SELECT child.oid FROM part CROSS JOIN LATERAL (
      SELECT oid FROM pg_constraint WHERE conparentid = part.oid OFFSET 0) child)
  SELECT oid FROM part WHERE oid <> con.oid`;

/**
 * The constraints that `CREATE TABLE` can state, which is much faster than adding them one by one. Added later are:
 * foreign keys, which need all tables; checks that call a function; constraints that are not valid, because CREATE
 * TABLE takes all for valid; one of two unique constraints on the same columns, which CREATE TABLE would silently drop;
 * keys of partitioned tables, which would look for indexes to attach; and keys of parents, which would make the
 * children's columns NOT NULL.
 */
export function inlineConstraints(
  { objects }: SchemaSource,
  constraints: readonly Constraint[],
  relations: readonly Relation[],
): Constraint[] {
  const tables = new Map(relations.map((relation) => [relation.oid, relation]));
  const indexed = new Set<string>();
  return constraints.filter(({ oid, tableOid, type, valid, columns }) => {
    const table = tables.get(tableOid);
    if (!table || type === 'f' || !valid || objects.callsFunction(`pg_constraint:${oid}`)) return false;
    if (table.inherits) return false;
    if (type === 'c') return true;
    if (isPartitioning(table)) return false;
    const key = `${tableOid} ${columns}`;
    return !indexed.has(key) && Boolean(indexed.add(key));
  });
}
