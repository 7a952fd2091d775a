import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import { Phase, type Step } from '../steps';
import type { SchemaSource } from './source';

interface TriggerRow {
  readonly oid: number;
  readonly name: string;
  readonly tableName: string;
  readonly definition: string;
  /** `ENABLE ALWAYS`, `ENABLE REPLICA` or `DISABLE`; null for the usual state. */
  readonly state: string | null;
}

export async function readTriggers({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<TriggerRow>(
    executor,
    // The pretty form: the other one always qualifies the table.
    `SELECT tg.oid, tg.tgname AS name, c.relname AS "tableName", pg_get_triggerdef(tg.oid, true) AS definition,
            CASE tg.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'D' THEN 'DISABLE' END
              AS state
     FROM pg_trigger tg JOIN pg_class c ON c.oid = tg.tgrelid
     WHERE tg.oid = ANY ($1::oid[]) AND NOT tg.tgisinternal`,
    [objects.oidsOf('pg_trigger')],
  );
  return found.map(({ oid, name, tableName, definition, state }) => ({
    phase: Phase.Trigger,
    label: `trigger ${name} on table ${tableName}`,
    creates: [`pg_trigger:${oid}`],
    statements: [
      definition,
      ...(state === null
        ? []
        : [`ALTER TABLE ONLY ${quoteIdentifier(tableName)} ${state} TRIGGER ${quoteIdentifier(name)}`]),
    ],
  }));
}
