import type { SqlExecutor } from '../common/sql';
import { inSchema } from '../schema/catalog';
import { structureFingerprint } from '../schema/fingerprint';
import { withoutCode } from '../schema/prints';
import { readStructure } from '../schema/structure';

/** What a schema contains. */
export interface SchemaContents {
  /** By kind and name, sorted. */
  readonly objects: readonly string[];
  /** The fingerprint of the structure. */
  readonly fingerprint: string;
  /** The fingerprint of the structure without its code: expressions, queries and bodies as PostgreSQL prints them. */
  readonly codeless: string;
}

export function readContents(executor: SqlExecutor, schemaName: string): Promise<SchemaContents> {
  return inSchema(executor, schemaName, async (schema, reader) => {
    const lines = await readStructure(reader, schema);
    const bare = lines.map(({ object, properties }) => ({ object, properties: withoutCode(properties) }));
    return {
      objects: lines.map(({ object }) => object).sort(),
      fingerprint: structureFingerprint(lines),
      codeless: structureFingerprint(bare),
    };
  });
}
