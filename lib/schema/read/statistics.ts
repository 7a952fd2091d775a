import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

interface StatisticsRow {
  readonly oid: number;
  readonly name: string;
  /** ` (ndistinct, mcv)`; empty for a single expression, which has no kinds to choose from. */
  readonly kinds: string;
  readonly columns: string;
  readonly tableName: string;
  readonly target: number | null;
}

/**
 * Extended statistics. Built from the catalog, because `pg_get_statisticsobjdef` always qualifies the object's own
 * name.
 */
export async function readStatistics({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<StatisticsRow>(
    executor,
    `SELECT s.oid, s.stxname AS name, coalesce(' (' || (
              SELECT string_agg(CASE kind WHEN 'd' THEN 'ndistinct' WHEN 'f' THEN 'dependencies' WHEN 'm' THEN 'mcv' END,
                                ', ' ORDER BY kind)
              FROM unnest(s.stxkind) AS kind WHERE kind <> 'e') || ')', '') AS kinds,
            pg_get_statisticsobjdef_columns(s.oid) AS columns, s.stxrelid::regclass::text AS "tableName",
            nullif(s.stxstattarget, -1) AS target
     FROM pg_statistic_ext s WHERE s.oid = ANY ($1::oid[])`,
    [objects.oidsOf('pg_statistic_ext')],
  );
  return found.map(({ oid, name, kinds, columns, tableName, target }) => ({
    phase: Phase.Statistics,
    label: `statistics object ${name}`,
    creates: [`pg_statistic_ext:${oid}`],
    statements: [
      `CREATE STATISTICS ${quoteIdentifier(name)}${kinds} ON ${columns} FROM ${tableName}`,
      ...(target === null ? [] : [`ALTER STATISTICS ${quoteIdentifier(name)} SET STATISTICS ${target}`]),
    ],
  }));
}
