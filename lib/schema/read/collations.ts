import { quoteIdentifier, quoteLiteral } from '../../common/sql';
import { rows } from '../catalog';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

interface CollationRow {
  readonly oid: number;
  readonly name: string;
  readonly provider: string;
  readonly deterministic: boolean;
  readonly collate: string | null;
  readonly ctype: string | null;
  readonly locale: string | null;
  readonly rules: string | null;
  /**
   * The collation of PostgreSQL's own that it is a copy of, when its encoding is one that no other definition can give.
   */
  readonly copyOf: string | null;
}

/**
 * Collations without their recorded version. It tells with which version of the library the indexes were built, and a
 * clone's indexes are built with the current one.
 */
export async function readCollations({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<CollationRow>(
    executor,
    // The locale changed its column in PostgreSQL 17, and rules came with 16.
    `SELECT oid, collname AS name, collisdeterministic AS deterministic, collcollate AS collate, collctype AS ctype,
            CASE collprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' END AS provider,
            coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale') AS locale,
            to_jsonb(c) ->> 'collicurules' AS rules,
            CASE WHEN collprovider = 'c' AND collencoding = -1 THEN collcollate
                 WHEN collprovider = 'b' AND collencoding <> -1 AND to_jsonb(c) ->> 'colllocale' = 'C' THEN 'ucs_basic'
            END AS "copyOf"
     FROM pg_collation c WHERE oid = ANY ($1::oid[])`,
    [objects.oidsOf('pg_collation')],
  );
  return found.map((row) => ({
    phase: Phase.Type,
    label: `collation ${row.name}`,
    creates: [`pg_collation:${row.oid}`],
    statements: [`CREATE COLLATION ${quoteIdentifier(row.name)} ${definition(row)}`],
  }));
}

function definition({
  provider,
  deterministic,
  collate,
  ctype,
  locale,
  rules,
  copyOf,
}: CollationRow): string {
  if (copyOf !== null) return `FROM pg_catalog.${quoteIdentifier(copyOf)}`;
  const texts = { LOCALE: locale, LC_COLLATE: collate, LC_CTYPE: ctype, RULES: rules };
  const properties = [
    `PROVIDER = ${provider}`,
    ...(deterministic ? [] : ['DETERMINISTIC = false']),
    ...Object.entries(texts).flatMap(([name, value]) =>
      value === null ? [] : [`${name} = ${quoteLiteral(value)}`],
    ),
  ];
  return `(${properties.join(', ')})`;
}
