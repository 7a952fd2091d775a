import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import type { SchemaSource } from './source';
import { ofRelation, parameterList } from '../storage-parameters';

/** A table, partitioned table, view or materialized view. */
export interface Relation {
  readonly oid: number;
  readonly name: string;
  readonly kind: 'r' | 'p' | 'v' | 'm';
  readonly unlogged: boolean;
  /** `fillfactor='70', toast.…`, or empty. */
  readonly options: string;
  /** Only if it is not `heap`. For a partitioned table, the one that new partitions get, if it was set. */
  readonly accessMethod: string | null;
  /** The composite type of `CREATE TABLE … OF`. */
  readonly ofType: string | null;
  /** `RANGE (day)`. */
  readonly partitionKey: string | null;
  /** `FOR VALUES …` or `DEFAULT`; null for a table that is not a partition. */
  readonly bound: string | null;
  /** Quoted names, in the order of `INHERITS`. For a partition, its partitioned table. */
  readonly parents: string[];
  /** Whether it has parents or children by inheritance; partitions do not count. */
  readonly inherits: boolean;
}

export function readRelations({ executor, objects }: SchemaSource): Promise<Relation[]> {
  return rows(
    executor,
    `SELECT c.oid, c.relname AS name, c.relkind AS kind, c.relpersistence = 'u' AS unlogged,
            concat_ws(', ', ${parameterList(ofRelation('c'))}, ${parameterList(ofRelation('toast'), 'toast.')}) AS options,
            (SELECT quote_ident(amname) FROM pg_am WHERE oid = c.relam AND (amname <> 'heap' OR c.relkind = 'p'))
              AS "accessMethod",
            format_type(nullif(c.reloftype, 0), NULL) AS "ofType", pg_get_partkeydef(c.oid) AS "partitionKey",
            pg_get_expr(c.relpartbound, c.oid) AS bound,
            ARRAY(SELECT '"' || replace(p.relname, '"', '""') || '"' FROM pg_inherits JOIN pg_class p ON p.oid = inhparent
                  WHERE inhrelid = c.oid ORDER BY inhseqno) AS parents,
            c.relkind = 'r' AND (NOT c.relispartition AND EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid)
                                 OR EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid)) AS inherits
     FROM pg_class c LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid
     WHERE c.oid = ANY ($1::oid[]) AND c.relkind IN ('r', 'p', 'v', 'm')
     ORDER BY c.relname`,
    [objects.oidsOf('pg_class')],
  );
}

/** A partitioned table or a partition. Each is made alone and then attached. */
export function isPartitioning({ kind, bound }: Relation): boolean {
  return kind === 'p' || bound !== null;
}

/** `CREATE TABLE` with these lines. INHERITS names the parents by inheritance, not the partitioned table. */
export function createTable(table: Relation, lines: readonly string[]): string {
  const { inherits, parents, partitionKey, accessMethod, options } = table;
  return [
    `CREATE ${table.unlogged ? 'UNLOGGED ' : ''}TABLE ${quoteIdentifier(table.name)} (${lines.join(', ')})`,
    inherits && parents.length > 0 && `INHERITS (${parents.join(', ')})`,
    partitionKey !== null && `PARTITION BY ${partitionKey}`,
    accessMethod !== null && `USING ${accessMethod}`,
    options !== '' && `WITH (${options})`,
  ]
    .filter(Boolean)
    .join(' ');
}
