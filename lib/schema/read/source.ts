import type { SqlExecutor } from '../../common/sql';
import type { CatalogSchema } from '../catalog';
import type { SchemaObjects } from '../objects';

/** What every reader for one kind of object works with. The search path is already the schema's. */
export interface SchemaSource {
  readonly executor: SqlExecutor;
  readonly schema: CatalogSchema;
  readonly objects: SchemaObjects;
}
