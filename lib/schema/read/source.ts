import type { SqlExecutor } from '../../common/sql';
import type { CatalogSchema } from '../catalog';
import type { SchemaObjects } from '../objects';

/** What every reader of one kind of object works on. The search path is already the schema's. */
export interface SchemaSource {
  readonly executor: SqlExecutor;
  readonly schema: CatalogSchema;
  readonly objects: SchemaObjects;
}
