import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import { Phase, type Step } from '../clone-order';
import type { Relation } from './relations';
import type { SchemaSource } from './source';

/**
 * Each partition is made alone, with its columns, checks, keys and indexes under their own names, and then attached, as
 * pg_dump does. With PARTITION OF, PostgreSQL would choose names, and the columns could not have another order than the
 * parent's.
 */
export function partitionSteps(relations: readonly Relation[]): Step[] {
  return relations
    .filter(({ bound }) => bound !== null)
    .map(({ name, parents: [parent], bound }) => ({
      phase: Phase.Attachment,
      label: `partition ${name}`,
      creates: [],
      statements: [`ALTER TABLE ONLY ${parent} ATTACH PARTITION ${quoteIdentifier(name)} ${bound}`],
    }));
}

/**
 * An index of a partitioned table is made for that table alone. It becomes valid when the index of each partition is
 * attached.
 */
export async function readIndexAttachments({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<{ child: string; parent: string; name: string }>(
    executor,
    `SELECT c.relname AS name, i.inhrelid::regclass::text AS child, i.inhparent::regclass::text AS parent
     FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhrelid = ANY ($1::oid[]) AND c.relkind IN ('i', 'I')`,
    [objects.oidsOf('pg_class')],
  );
  return found.map(({ name, child, parent }) => ({
    phase: Phase.IndexAttachment,
    label: `index ${name}`,
    creates: [],
    statements: [`ALTER INDEX ${parent} ATTACH PARTITION ${child}`],
  }));
}
