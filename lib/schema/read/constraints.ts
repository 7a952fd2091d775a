import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import { Phase, type Step } from '../steps';
import type { SchemaSource } from './source';
import { storageOptions } from './storage-options';

export interface Constraint {
  readonly oid: number;
  readonly tableOid: number;
  readonly tableName: string;
  readonly name: string;
  readonly type: 'p' | 'u' | 'x' | 'c' | 'f' | 'n';
  readonly valid: boolean;
  readonly columns: string;
  readonly definition: string;
  /** Storage parameters of the index behind it, which its definition leaves out. */
  readonly indexOptions: string | null;
}

/** All but those of constraint triggers, which come with the trigger, and valid NOT NULLs, which come with the column. */
export function readConstraints({ executor, objects }: SchemaSource): Promise<Constraint[]> {
  return rows(
    executor,
    `SELECT con.oid, con.conrelid AS "tableOid", c.relname AS "tableName", con.conname AS name, con.contype AS type,
            con.convalidated AS valid, con.conkey::text AS columns, pg_get_constraintdef(con.oid) AS definition,
            CASE WHEN con.contype IN ('p', 'u', 'x') THEN ${storageOptions('i.reloptions')} END AS "indexOptions"
     FROM pg_constraint con
     JOIN pg_class c ON c.oid = con.conrelid
     LEFT JOIN pg_class i ON i.oid = con.conindid
     WHERE con.oid = ANY ($1::oid[]) AND con.contype <> 't' AND NOT (con.contype = 'n' AND con.convalidated)
     ORDER BY con.contype, con.conname`,
    [objects.oidsOf('pg_constraint')],
  );
}

/**
 * The constraints that `CREATE TABLE` can state: much faster than adding them one by one. Foreign keys wait for all
 * tables, some checks for a function, and CREATE TABLE takes every constraint for valid and drops one of two unique
 * constraints on the same columns without a word.
 */
export function inlineConstraints(
  { objects }: SchemaSource,
  constraints: readonly Constraint[],
): Constraint[] {
  const indexed = new Set<string>();
  return constraints.filter(({ oid, tableOid, type, valid, columns }) => {
    if (type === 'f' || !valid || objects.callsFunction(`pg_constraint:${oid}`)) return false;
    if (type === 'c') return true;
    const key = `${tableOid} ${columns}`;
    return !indexed.has(key) && Boolean(indexed.add(key));
  });
}

export function constraintStep({ oid, tableName, name, type, definition, ...constraint }: Constraint): Step {
  const table = quoteIdentifier(tableName);
  return {
    phase: type === 'f' ? Phase.ForeignKey : Phase.Constraint,
    label: `constraint ${name} on table ${tableName}`,
    creates: [`pg_constraint:${oid}`],
    statements: [
      `ALTER TABLE ONLY ${table} ADD CONSTRAINT ${quoteIdentifier(name)} ${definition}`,
      ...indexOptionStatements({ name, indexOptions: constraint.indexOptions }),
    ],
  };
}

export function indexOptionStatements({
  name,
  indexOptions,
}: Pick<Constraint, 'name' | 'indexOptions'>): string[] {
  return indexOptions === null ? [] : [`ALTER INDEX ${quoteIdentifier(name)} SET (${indexOptions})`];
}
