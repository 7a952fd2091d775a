import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';
import { ofRelation, parameterList } from '../storage-parameters';

export async function readViews({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<{ oid: number; name: string; options: string | null; query: string }>(
    executor,
    `SELECT c.oid, c.relname AS name, ${parameterList(ofRelation('c'))} AS options, pg_get_viewdef(c.oid) AS query
     FROM pg_class c WHERE c.oid = ANY ($1::oid[]) AND c.relkind = 'v'`,
    [objects.oidsOf('pg_class')],
  );
  return found.map(({ oid, name, options, query }) => ({
    phase: Phase.View,
    label: `view ${name}`,
    creates: [`pg_class:${oid}`],
    statements: [
      `CREATE VIEW ${quoteIdentifier(name)}${options === null ? '' : ` WITH (${options})`} AS ${query.replace(/;$/, '')}`,
    ],
  }));
}
