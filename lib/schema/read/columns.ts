import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import type { Sequence } from './sequences';
import type { SchemaSource } from './source';
import { ofColumn, parameterList } from '../storage-parameters';

export interface Column {
  readonly tableOid: number;
  readonly number: number;
  readonly name: string;
  readonly type: string;
  /** Whether the table itself declares it. It may also be inherited. */
  readonly local: boolean;
  /** Only where it differs from the collation of the type. */
  readonly collation: string | null;
  readonly compression: string | null;
  /** Without the column's name: `NOT NULL`, from PostgreSQL 18 on with the constraint's name. */
  readonly notNull: string | null;
  /** Whether the table itself declares the NOT NULL. Always true before PostgreSQL 18. */
  readonly notNullLocal: boolean;
  /** Whether it is a constraint with a name, which children then inherit for good. */
  readonly notNullNamed: boolean;
  readonly identity: 'ALWAYS' | 'BY DEFAULT' | null;
  readonly generated: 'STORED' | 'VIRTUAL' | null;
  /** For a generated column, the names of the columns that it is computed from. */
  readonly sources: readonly string[];
  readonly defaultOid: number | null;
  readonly default: string | null;
  /** What `ALTER COLUMN` must add: storage, statistics target, options; for materialized views also the compression. */
  readonly alterations: string[];
}

/** Columns of tables and materialized views, and the columns of views that have a default. */
export function readColumns({ executor, objects }: SchemaSource): Promise<Column[]> {
  return rows(
    executor,
    // Not-null constraints have names since PostgreSQL 18. A NOT VALID one is added like other constraints.
    `SELECT a.attrelid AS "tableOid", a.attnum AS number, a.attname AS name, a.attislocal AS local,
            format_type(a.atttypid, a.atttypmod) AS type,
            CASE WHEN a.attcollation NOT IN (0, t.typcollation) THEN a.attcollation::regcollation::text END AS collation,
            CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END AS compression,
            CASE WHEN con.oid IS NOT NULL AND con.convalidated
                 THEN format('CONSTRAINT %I NOT NULL%s', con.conname,
                             CASE WHEN con.connoinherit THEN ' NO INHERIT' ELSE '' END)
                 WHEN a.attnotnull AND con.oid IS NULL THEN 'NOT NULL' END AS "notNull",
            coalesce(con.conislocal, true) AS "notNullLocal", con.oid IS NOT NULL AS "notNullNamed",
            CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END AS identity,
            CASE a.attgenerated WHEN 's' THEN 'STORED' WHEN 'v' THEN 'VIRTUAL' END AS generated,
            ARRAY(SELECT source.attname::text FROM pg_depend used JOIN pg_attribute source
                    ON source.attrelid = a.attrelid AND source.attnum = used.refobjsubid
                  WHERE a.attgenerated <> '' AND used.classid = 'pg_attrdef'::regclass AND used.objid = d.oid
                    AND used.refclassid = 'pg_class'::regclass AND used.refobjid = a.attrelid
                    AND used.refobjsubid > 0 AND used.refobjsubid <> a.attnum) AS sources,
            d.oid AS "defaultOid", pg_get_expr(d.adbin, d.adrelid) AS "default",
            array_remove(ARRAY[
              CASE WHEN c.relkind = 'm' AND a.attcompression <> '' THEN 'SET COMPRESSION ' ||
                CASE a.attcompression WHEN 'p' THEN 'pglz' ELSE 'lz4' END END,
              CASE WHEN a.attstorage <> t.typstorage THEN 'SET STORAGE ' ||
                CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END
              END,
              CASE WHEN a.attstattarget >= 0 THEN 'SET STATISTICS ' || a.attstattarget END,
              'SET (' || ${parameterList(ofColumn('a'))} || ')'
            ], NULL) AS alterations
     FROM pg_class c
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     JOIN pg_type t ON t.oid = a.atttypid
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     LEFT JOIN pg_constraint con ON con.conrelid = a.attrelid AND con.contype = 'n' AND con.conkey = ARRAY[a.attnum]
     WHERE c.oid = ANY ($1::oid[]) AND (c.relkind IN ('r', 'p', 'm') OR c.relkind = 'v' AND d.oid IS NOT NULL)
     ORDER BY a.attrelid, a.attnum`,
    [objects.oidsOf('pg_class')],
  );
}

/** One line of `CREATE TABLE`. `withDefault` is false for a default that calls a function which is made later. */
export function columnDefinition(column: Column, withDefault: boolean, sequence?: Sequence): string {
  return [
    quoteIdentifier(column.name),
    column.type,
    column.compression && `COMPRESSION ${column.compression}`,
    column.collation && `COLLATE ${column.collation}`,
    column.notNull,
    valueOf(column, withDefault, sequence),
  ]
    .filter(Boolean)
    .join(' ');
}

function valueOf(column: Column, withDefault: boolean, sequence?: Sequence): string | undefined {
  if (column.generated) return `GENERATED ALWAYS AS (${column.default}) ${column.generated}`;
  if (column.identity && sequence) return identityClause(column, sequence);
  return withDefault && column.default !== null ? `DEFAULT ${column.default}` : undefined;
}

/** `GENERATED … AS IDENTITY (…)`, for `CREATE TABLE` and after `ALTER COLUMN … ADD`. */
export function identityClause({ identity }: Column, { name, options, retyped }: Sequence): string {
  // Bounds that fit another type may be too wide for the column's type.
  const bounds = retyped ? '' : ` ${options}`;
  return `GENERATED ${identity} AS IDENTITY (SEQUENCE NAME ${quoteIdentifier(name)}${bounds})`;
}

/** The `ALTER TABLE` for the `alterations` of its columns, or nothing. */
export function columnAlterations(relationName: string, columns: readonly Column[]): string[] {
  const statements = columns.flatMap(({ name, alterations: wanted }) =>
    wanted.map((alteration) => `ALTER COLUMN ${quoteIdentifier(name)} ${alteration}`),
  );
  if (statements.length === 0) return [];
  return [`ALTER TABLE ONLY ${quoteIdentifier(relationName)} ${statements.join(', ')}`];
}
