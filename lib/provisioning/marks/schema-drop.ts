import { Injectable } from '@nestjs/common';
import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { dropTenantRole } from '../roles/role-grants';
import { SchemaMarks } from './schema-marks';

/**
 * DROP keeps a lock on each object that it drops: table, row type, index, TOAST table, constraint, default, trigger.
 * The lock table has room for 64 a connection, shared by all of them, so one schema of 1,000 tables would fill it.
 */
const RELATIONS_AT_ONCE = 10;
const ROUTINES_AT_ONCE = 100;

/** A dropped table, and its size. */
export interface DroppedTable {
  readonly name: string;
  readonly rows: number;
  /** On disk, with indexes and TOAST. */
  readonly bytes: number;
}

export interface DroppedPart {
  readonly tables: readonly DroppedTable[];
  /** Whether the schema itself is gone, now or since before. */
  readonly isLast: boolean;
}

/** The only way in which a tenant's schema is ever dropped. */
@Injectable()
export class SchemaDrop {
  constructor(private readonly marks: SchemaMarks) {}

  /**
   * Drops a part of a schema, small enough for the lock table, within the caller's transaction. Called until the last
   * part, each time in a transaction of its own, it drops all of the schema.
   *
   * @throws SchemaNotMarkedError for a schema that is not marked as this registry's; nothing of it was dropped
   * @throws RegistryCopiedError when another registry has the same id
   */
  async dropNextPart(transaction: SqlExecutor, schemaName: string): Promise<DroppedPart> {
    await this.marks.requireOurs(transaction, schemaName);
    return dropNextPart(transaction, schemaName);
  }
}

async function dropNextPart(transaction: SqlExecutor, schemaName: string): Promise<DroppedPart> {
  const relations = await nextRelations(transaction, schemaName);
  if (relations.length > 0) {
    const tables = await measure(transaction, relations);
    for (const kind of Object.keys(KINDS) as Kind[]) await dropRelations(transaction, relations, kind);
    return { tables, isLast: false };
  }
  const routines = await nextRoutines(transaction, schemaName);
  for (const routine of routines) await transaction.query(`DROP ROUTINE IF EXISTS ${routine} CASCADE`);
  if (routines.length > 0) return { tables: [], isLast: false };
  await transaction.query(`DROP SCHEMA IF EXISTS ${quoteIdentifier(schemaName)} CASCADE`);
  await dropTenantRole(transaction, schemaName);
  return { tables: [], isLast: true };
}

/** In the order in which they are dropped. */
const KINDS = {
  v: 'VIEW',
  m: 'MATERIALIZED VIEW',
  r: 'TABLE',
  p: 'TABLE',
  f: 'FOREIGN TABLE',
  S: 'SEQUENCE',
} as const;
type Kind = keyof typeof KINDS;

interface Relation {
  readonly oid: number;
  readonly kind: Kind;
  readonly name: string;
  /** Quoted and qualified. */
  readonly fullName: string;
}

/** Members through pg_depend: pg_class has no index by schema, and its size follows the number of tenants. */
const MEMBERS = `
  SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_namespace n ON d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = n.oid
  WHERE n.nspname = $1 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')`;

/**
 * Partitions come before their tables, and what the fewest objects depend on comes first, so that CASCADE drops few foreign
 * keys and views of later parts. A sequence that belongs to a column is dropped with the column.
 */
async function nextRelations(executor: SqlExecutor, schemaName: string): Promise<Relation[]> {
  return (await executor.query(
    `SELECT c.oid, c.relkind AS kind, c.relname AS name, pg_catalog.format('%I.%I', $1, c.relname) AS "fullName"
     FROM (${MEMBERS}) m JOIN pg_catalog.pg_class c ON m.classid = 'pg_catalog.pg_class'::regclass AND c.oid = m.objid
     WHERE c.relkind = ANY ($2::"char"[]) AND (c.relkind <> 'S' OR NOT EXISTS (
       SELECT FROM pg_catalog.pg_depend d WHERE d.classid = m.classid AND d.objid = c.oid AND d.deptype IN ('a', 'i')))
     ORDER BY EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = c.oid), (
       SELECT count(*) FROM pg_catalog.pg_depend d
       WHERE d.refclassid = m.classid AND d.refobjid = c.oid AND d.deptype = 'n'), c.oid
     LIMIT ${RELATIONS_AT_ONCE}`,
    [schemaName, Object.keys(KINDS)],
  )) as Relation[];
}

async function measure(executor: SqlExecutor, relations: readonly Relation[]): Promise<DroppedTable[]> {
  const filled = relations.filter(({ kind }) => kind === 'r' || kind === 'm');
  if (filled.length === 0) return [];
  const measured = (await executor.query(
    filled
      .map(
        ({ oid, fullName }, place) =>
          `SELECT ${place} AS place, (SELECT count(*) FROM ONLY ${fullName}) AS rows,
                  pg_catalog.pg_total_relation_size(${oid}) AS bytes`,
      )
      .join(' UNION ALL '),
  )) as { place: number; rows: string; bytes: string }[];
  return measured.map(({ place, rows, bytes }) => ({
    name: filled[place].name,
    rows: Number(rows),
    bytes: Number(bytes),
  }));
}

async function dropRelations(executor: SqlExecutor, relations: readonly Relation[], kind: Kind) {
  const names = relations.filter((relation) => relation.kind === kind).map(({ fullName }) => fullName);
  // IF EXISTS: the CASCADE of an earlier one may have taken it along.
  if (names.length > 0) await executor.query(`DROP ${KINDS[kind]} IF EXISTS ${names.join(', ')} CASCADE`);
}

async function nextRoutines(executor: SqlExecutor, schemaName: string): Promise<string[]> {
  const found = (await executor.query(
    `SELECT m.objid::regprocedure::text AS routine FROM (${MEMBERS}) m
     WHERE m.classid = 'pg_catalog.pg_proc'::regclass ORDER BY m.objid LIMIT ${ROUTINES_AT_ONCE}`,
    [schemaName],
  )) as { routine: string }[];
  return found.map(({ routine }) => routine);
}
