import type { SqlExecutor } from '../common/sql';
import { inSchema } from '../schema/catalog';
import { structureFingerprint } from '../schema/fingerprint';
import { withoutCode } from '../schema/prints';
import { readStructure, type StructureLine } from '../schema/structure';

/** What a schema contains. */
export interface SchemaContents {
  /** By kind and name, sorted. */
  readonly objects: readonly string[];
  /** The fingerprint of the structure. */
  readonly fingerprint: string;
  /** The fingerprint of the structure without its code: expressions, queries and bodies as PostgreSQL prints them. */
  readonly codeless: string;
}

export interface ReadContentsOptions {
  /** Leaves out whose the objects are that belong to the role that reads them. Default false. */
  readonly isOwnerLeftOut?: boolean;
  /** The name of a publication of which its tables are left out. Default none. */
  readonly publicationLeftOut?: string;
}

export function readContents(
  executor: SqlExecutor,
  schemaName: string,
  { isOwnerLeftOut = false, publicationLeftOut }: ReadContentsOptions = {},
): Promise<SchemaContents> {
  return inSchema(executor, schemaName, async (schema, reader) => {
    const all = await readStructure(reader, schema);
    const found =
      publicationLeftOut === undefined
        ? all
        : all.filter(({ object }) => !object.startsWith(`publication ${publicationLeftOut} of `));
    const lines = isOwnerLeftOut ? await withoutOwner(executor, found) : found;
    const bare = lines.map(({ object, properties }) => ({ object, properties: withoutCode(properties) }));
    return {
      objects: lines.map(({ object }) => object).sort(),
      fingerprint: structureFingerprint(lines),
      codeless: structureFingerprint(bare),
    };
  });
}

/** Servers know one application by different logins, and on each what is a tenant's belongs to the login there. */
async function withoutOwner(
  executor: SqlExecutor,
  lines: readonly StructureLine[],
): Promise<readonly StructureLine[]> {
  const [{ role }] = (await executor.query('SELECT pg_catalog.quote_ident(current_user) AS role')) as {
    role: string;
  }[];
  const isOwn = ({ object, properties }: StructureLine) =>
    object.startsWith('owner of ') && (JSON.parse(properties) as { role: unknown }).role === role;
  return lines.filter((line) => !isOwn(line));
}
