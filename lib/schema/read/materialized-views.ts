import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import type { ObjectKey, SchemaObjects } from '../objects';
import { Phase, type Step } from '../clone-order';
import { type Column, columnAlterations } from './columns';
import type { Relation } from './relations';
import type { SchemaSource } from './source';

/** Made without rows, because their queries may need objects that are made later. See `readPopulated`. */
export async function readMaterializedViews(
  { executor }: SchemaSource,
  relations: readonly Relation[],
  columnsOf: ReadonlyMap<number, readonly Column[]>,
): Promise<Step[]> {
  const views = relations.filter(({ kind }) => kind === 'm');
  const queries = await rows<{ oid: number; query: string }>(
    executor,
    'SELECT oid, pg_get_viewdef(oid) AS query FROM unnest($1::oid[]) AS oid',
    [views.map(({ oid }) => oid)],
  );
  const queryOf = new Map(queries.map(({ oid, query }) => [oid, query]));
  return views.map(({ oid, name, accessMethod, options }) => ({
    phase: Phase.View,
    label: `materialized view ${name}`,
    creates: [`pg_class:${oid}`],
    statements: [
      `CREATE MATERIALIZED VIEW ${quoteIdentifier(name)}${accessMethod === null ? '' : ` USING ${accessMethod}`}` +
        `${options === '' ? '' : ` WITH (${options})`} AS ${queryOf.get(oid)?.replace(/;$/, '')} WITH NO DATA`,
      ...columnAlterations(name, columnsOf.get(oid) ?? []),
    ],
  }));
}

/**
 * A `REFRESH` of the views that have rows; the clone's rows come from its own tables. All are one step, because one
 * view may read another, perhaps through a view or a function, and must be refreshed after it.
 */
export async function readPopulated({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<{ oid: number; name: string }>(
    executor,
    `SELECT oid, relname AS name FROM pg_class WHERE oid = ANY ($1::oid[]) AND relkind = 'm' AND relispopulated
     ORDER BY relname`,
    [objects.oidsOf('pg_class')],
  );
  if (found.length === 0) return [];
  const names = new Map(found.map(({ oid, name }) => [`pg_class:${oid}`, name]));
  return [
    {
      phase: Phase.Refresh,
      label: 'rows of materialized views',
      creates: [],
      statements: [...neededFirst(objects, [...names.keys()])].flatMap((key) => {
        const name = names.get(key);
        return name === undefined ? [] : [`REFRESH MATERIALIZED VIEW ${quoteIdentifier(name)}`];
      }),
    },
  ];
}

/** The objects and all their dependencies, each after its own dependencies. */
function neededFirst(objects: SchemaObjects, keys: readonly ObjectKey[]): Set<ObjectKey> {
  const partsOf = new Map<ObjectKey, ObjectKey[]>();
  for (const key of objects.keys()) {
    const owner = objects.ownerOf(key);
    if (owner !== undefined) partsOf.set(owner, [...(partsOf.get(owner) ?? []), key]);
  }
  const visited = new Set<ObjectKey>();
  const finished = new Set<ObjectKey>();
  const visit = (key: ObjectKey): void => {
    if (visited.has(key)) return;
    visited.add(key);
    [...objects.referencesOf(key), ...(partsOf.get(key) ?? [])].forEach(visit);
    finished.add(key);
  };
  keys.forEach(visit);
  return finished;
}
