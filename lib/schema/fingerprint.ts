import { createHash } from 'node:crypto';
import type { SqlExecutor } from '../common/sql';
import { inSchema } from './catalog';
import { readStructure, type StructureLine } from './structure';

/**
 * SHA-256, in hex, of a schema's structure: equal for two schemas that differ in name, oids, rows and order of creation
 * only, except for the order of foreign keys that act. Needs a transaction of the caller's; settings are put back.
 *
 * @throws SchemaNotFoundError, TransactionRequiredError
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
