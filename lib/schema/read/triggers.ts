import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

interface TriggerRow {
  readonly oid: number;
  readonly name: string;
  readonly tableName: string;
  readonly definition: string;
  /** `ENABLE ALWAYS`, `ENABLE REPLICA` or `DISABLE`; null for the usual state. */
  readonly state: string | null;
  /** For a row trigger of a partitioned table: the triggers that its partitions get with it. */
  readonly parts: number[];
  /** Whether it is such a partition's trigger itself. */
  readonly isPart: boolean;
}

export async function readTriggers({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<TriggerRow>(
    executor,
    // The pretty form, because the plain one always qualifies the table.
    `SELECT tg.oid, tg.tgname AS name, c.relname AS "tableName", pg_get_triggerdef(tg.oid, true) AS definition,
            CASE tg.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'D' THEN 'DISABLE' END
              AS state,
            tg.tgparentid <> 0 AS "isPart", CASE WHEN tg.tgparentid = 0 THEN ARRAY(${PARTS}) ELSE '{}' END AS parts
     FROM pg_trigger tg JOIN pg_class c ON c.oid = tg.tgrelid
     WHERE tg.oid = ANY ($1::oid[]) AND (NOT tg.tgisinternal OR tg.tgparentid <> 0 AND tg.tgconstraint = 0)`,
    [objects.oidsOf('pg_trigger')],
  );
  return found.flatMap((trigger) => (trigger.isPart ? partSteps(trigger) : [triggerStep(trigger)]));
}

/** Oids of all triggers below `tg`, found by table and parent, because pg_trigger has no index on the parent alone. */
const PARTS = `
  WITH RECURSIVE part AS (
    SELECT tg.oid, tg.tgrelid
    UNION ALL
    SELECT child.oid, child.tgrelid
    FROM part JOIN pg_inherits h ON h.inhparent = part.tgrelid
    JOIN pg_trigger child ON child.tgrelid = h.inhrelid AND child.tgparentid = part.oid)
  SELECT oid FROM part WHERE oid <> tg.oid`;

function triggerStep(trigger: TriggerRow): Step {
  return {
    phase: Phase.Trigger,
    label: `trigger ${trigger.name} on table ${trigger.tableName}`,
    creates: [trigger.oid, ...trigger.parts].map((oid) => `pg_trigger:${oid}`),
    statements: [trigger.definition, ...stateStatements(trigger)],
  };
}

/** A partition may have another state of the trigger that it got from the partitioned table. */
function partSteps(trigger: TriggerRow): Step[] {
  if (trigger.state === null) return [];
  return [
    {
      phase: Phase.Attribute,
      label: `trigger ${trigger.name} on table ${trigger.tableName}`,
      creates: [],
      statements: stateStatements(trigger),
    },
  ];
}

function stateStatements({ tableName, name, state }: TriggerRow): string[] {
  if (state === null) return [];
  return [`ALTER TABLE ONLY ${quoteIdentifier(tableName)} ${state} TRIGGER ${quoteIdentifier(name)}`];
}
