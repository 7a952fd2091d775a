import { createHash } from 'node:crypto';
import type { SqlExecutor } from '../common/sql';
import { inSchema } from './catalog';
import { readStructure, type StructureLine } from './structure';

/**
 * SHA-256, in hex, of a schema's structure: what belongs to it is in `structure.ts`, which columns count in
 * `catalog-columns.ts`. Two schemas have the same one if they differ only in name, oids, rows and
 * order of creation. The order of foreign keys with an action counts. Call it in a transaction; the session's
 * parameters are restored.
 *
 * @throws SchemaNotFoundError when the schema does not exist, or the current user may not use it
 * @throws TransactionRequiredError when no transaction is open
 */
export function fingerprintSchema(executor: SqlExecutor, schemaName: string): Promise<string> {
  return inSchema(executor, schemaName, async (schema, reader) =>
    structureFingerprint(await readStructure(reader, schema)),
  );
}

export function structureFingerprint(structure: readonly StructureLine[]): string {
  const lines = structure.map(({ object, properties }) => JSON.stringify([object, properties])).sort();
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}
