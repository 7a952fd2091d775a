import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

interface PolicyRow {
  readonly oid: number;
  readonly name: string;
  readonly tableName: string;
  readonly permissive: boolean;
  readonly command: string;
  /** Quoted. */
  readonly roles: string[];
  readonly using: string | null;
  readonly check: string | null;
}

/** Policies, and the statements that enable them. They come late, because earlier steps would be subject to them. */
export async function readPolicies(source: SchemaSource): Promise<Step[]> {
  return [...(await readPolicyRows(source)).map(policyStep), ...(await readRowSecurity(source))];
}

function readPolicyRows({ executor, objects }: SchemaSource): Promise<PolicyRow[]> {
  return rows(
    executor,
    `SELECT p.oid, p.polname AS name, c.relname AS "tableName", p.polpermissive AS permissive,
            CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
                          ELSE 'ALL' END AS command,
            ARRAY(SELECT CASE role WHEN 0 THEN 'PUBLIC' ELSE role::regrole::text END
                  FROM unnest(p.polroles) WITH ORDINALITY AS named (role, place) ORDER BY place) AS roles,
            pg_get_expr(p.polqual, p.polrelid) AS using, pg_get_expr(p.polwithcheck, p.polrelid) AS check
     FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
     WHERE p.oid = ANY ($1::oid[])`,
    [objects.oidsOf('pg_policy')],
  );
}

function policyStep({ oid, name, tableName, permissive, command, roles, using, check }: PolicyRow): Step {
  return {
    phase: Phase.Policy,
    label: `policy ${name} on table ${tableName}`,
    creates: [`pg_policy:${oid}`],
    statements: [
      [
        `CREATE POLICY ${quoteIdentifier(name)} ON ${quoteIdentifier(tableName)}`,
        `AS ${permissive ? 'PERMISSIVE' : 'RESTRICTIVE'} FOR ${command} TO ${roles.join(', ')}`,
        using !== null && `USING (${using})`,
        check !== null && `WITH CHECK (${check})`,
      ]
        .filter(Boolean)
        .join(' '),
    ],
  };
}

async function readRowSecurity({ executor, objects }: SchemaSource): Promise<Step[]> {
  const tables = await rows<{ name: string; enabled: boolean; forced: boolean }>(
    executor,
    `SELECT relname AS name, relrowsecurity AS enabled, relforcerowsecurity AS forced FROM pg_class
     WHERE oid = ANY ($1::oid[]) AND (relrowsecurity OR relforcerowsecurity)`,
    [objects.oidsOf('pg_class')],
  );
  return tables.map(({ name, enabled, forced }) => ({
    phase: Phase.Policy,
    label: `row level security of table ${name}`,
    creates: [],
    statements: [
      `ALTER TABLE ONLY ${quoteIdentifier(name)} ` +
        [enabled && 'ENABLE ROW LEVEL SECURITY', forced && 'FORCE ROW LEVEL SECURITY']
          .filter(Boolean)
          .join(', '),
    ],
  }));
}
