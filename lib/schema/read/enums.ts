import { quoteIdentifier, quoteLiteral } from '../../common/sql';
import { rows } from '../catalog';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

interface EnumRow {
  readonly oid: number;
  readonly name: string;
  readonly labels: string[];
}

export async function readEnums({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<EnumRow>(
    executor,
    `SELECT t.oid, t.typname AS name,
            ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS labels
     FROM pg_type t WHERE t.oid = ANY ($1::oid[]) AND t.typtype = 'e'`,
    [objects.oidsOf('pg_type')],
  );
  return found.map(({ oid, name, labels }) => ({
    phase: Phase.Type,
    label: `type ${name}`,
    creates: [`pg_type:${oid}`],
    statements: [`CREATE TYPE ${quoteIdentifier(name)} AS ENUM (${labels.map(quoteLiteral).join(', ')})`],
  }));
}
