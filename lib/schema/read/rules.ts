import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

/** Rules made by CREATE RULE. The rule that makes a view a view comes with the view. */
export async function readRules({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<{
    oid: number;
    name: string;
    tableName: string;
    definition: string;
    state: string | null;
  }>(
    executor,
    // The pretty form, because the plain one always qualifies the table.
    `SELECT w.oid, w.rulename AS name, c.relname AS "tableName", pg_get_ruledef(w.oid, true) AS definition,
            CASE w.ev_enabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'D' THEN 'DISABLE' END
              AS state
     FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class
     WHERE w.oid = ANY ($1::oid[]) AND w.rulename <> '_RETURN'`,
    [objects.oidsOf('pg_rewrite')],
  );
  return found.map(({ oid, name, tableName, definition, state }) => ({
    phase: Phase.Rule,
    label: `rule ${name} on ${tableName}`,
    creates: [`pg_rewrite:${oid}`],
    statements: [
      definition.replace(/;$/, ''),
      ...(state === null
        ? []
        : [`ALTER TABLE ${quoteIdentifier(tableName)} ${state} RULE ${quoteIdentifier(name)}`]),
    ],
  }));
}
