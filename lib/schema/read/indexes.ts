import { rows } from '../catalog';
import { indexDefinition } from '../storage-parameters';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

/** Indexes made by CREATE INDEX. Those of constraints come with the constraint. */
export async function readIndexes({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<{ oid: number; name: string; definition: string }>(
    executor,
    `SELECT c.oid, c.relname AS name, ${indexDefinition('c')} AS definition
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE i.indexrelid = ANY ($1::oid[]) AND NOT EXISTS (
       SELECT FROM pg_constraint con
       WHERE con.conrelid = i.indrelid AND con.conindid = i.indexrelid AND con.contype IN ('p', 'u', 'x'))`,
    [objects.oidsOf('pg_class')],
  );
  return found.map(({ oid, name, definition }) => ({
    phase: Phase.Index,
    // When a row violates two unique indexes, PostgreSQL reports the older one.
    age: oid,
    label: `index ${name}`,
    creates: [`pg_class:${oid}`],
    statements: [definition],
  }));
}
