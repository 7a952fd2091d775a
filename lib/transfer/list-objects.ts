import type { SqlExecutor } from '../common/sql';
import { inSchema } from '../schema/catalog';
import { readStructure } from '../schema/structure';

/** What a schema has in it, by kind and name, sorted. */
export function listObjects(executor: SqlExecutor, schemaName: string): Promise<string[]> {
  return inSchema(executor, schemaName, async (schema) =>
    (await readStructure(executor, schema)).map(({ object }) => object).sort(),
  );
}
