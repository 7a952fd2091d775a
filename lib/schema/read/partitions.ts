import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import { Phase, type Step } from '../steps';
import type { Relation } from './relations';
import type { SchemaSource } from './source';

/**
 * Each table is made alone, with columns, checks, keys and indexes under its own names, and attached then, as pg_dump
 * does: PARTITION OF would make up names, and could not have columns in another order.
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

/** A partitioned index is made on the partitioned table alone, and is valid when each partition has brought its own. */
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
