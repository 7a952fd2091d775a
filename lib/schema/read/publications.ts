import { rows } from '../catalog';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

/**
 * What publications hold of the schema: single tables, perhaps with columns and a condition, or all tables of the
 * schema.
 */
export async function readPublications({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<{ publication: string; member: string; object: string }>(
    executor,
    `SELECT quote_ident(p.pubname) AS publication, format('table %s', c.relname) AS object,
            format('TABLE ONLY %I', c.relname) || coalesce(' (' || (
              SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
              FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (pr.prattrs)) || ')', '') ||
            coalesce(' WHERE (' || pg_get_expr(pr.prqual, pr.prrelid) || ')', '') AS member
     FROM pg_publication_rel pr JOIN pg_publication p ON p.oid = pr.prpubid JOIN pg_class c ON c.oid = pr.prrelid
     WHERE pr.oid = ANY ($1::oid[])
     UNION ALL
     SELECT quote_ident(p.pubname), 'the schema', 'TABLES IN SCHEMA CURRENT_SCHEMA'
     FROM pg_publication_namespace pn JOIN pg_publication p ON p.oid = pn.pnpubid
     WHERE pn.oid = ANY ($2::oid[])`,
    [objects.oidsOf('pg_publication_rel'), objects.oidsOf('pg_publication_namespace')],
  );
  return found.map(({ publication, member, object }) => ({
    phase: Phase.Publication,
    label: `publication of ${object} in publication ${publication}`,
    creates: [],
    statements: [`ALTER PUBLICATION ${publication} ADD ${member}`],
  }));
}
