import { rows } from '../catalog';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

/** Which index stands for a table: in replication, and for CLUSTER. And how precisely ANALYZE looks at indexes. */
export async function readIndexAttributes({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<{ label: string; statement: string }>(
    executor,
    `SELECT format('replica identity of table %s', c.relname) AS label,
            format('ALTER TABLE ONLY %I REPLICA IDENTITY %s', c.relname, CASE c.relreplident
              WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' ELSE format('USING INDEX %s', (
                SELECT indexrelid::regclass FROM pg_index WHERE indrelid = c.oid AND indisreplident)) END) AS statement
     FROM pg_class c WHERE c.oid = ANY ($1::oid[]) AND c.relkind IN ('r', 'p', 'm') AND c.relreplident <> 'd'
     UNION ALL
     SELECT format('CLUSTER of table %s', c.relname),
            format('ALTER TABLE ONLY %I CLUSTER ON %s', c.relname, i.indexrelid::regclass)
     FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisclustered
     WHERE c.oid = ANY ($1::oid[]) AND c.relkind IN ('r', 'p', 'm')
     UNION ALL
     SELECT format('index %s', c.relname), format('ALTER INDEX %I ', c.relname) ||
            string_agg(format('ALTER COLUMN %s SET STATISTICS %s', a.attnum, a.attstattarget), ', ' ORDER BY a.attnum)
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND a.attstattarget >= 0
     WHERE c.oid = ANY ($1::oid[]) AND c.relkind IN ('i', 'I')
     GROUP BY c.oid, c.relname`,
    [objects.oidsOf('pg_class')],
  );
  return found.map(({ label, statement }) => ({
    phase: Phase.Attribute,
    label,
    creates: [],
    statements: [statement],
  }));
}
