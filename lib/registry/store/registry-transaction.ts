import type { DataSource, EntityManager } from 'typeorm';
import { orUnavailable } from '../../common/outage';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';

/**
 * Runs `work` in a transaction of the registry. Explicitly READ COMMITTED: under a stricter default of the database
 * a lost race would be an error.
 *
 * @throws TenancyUnavailableError when the registry cannot be reached, and whatever `work` throws
 */
export async function inRegistry<T>(
  registry: DataSource,
  work: (transaction: EntityManager) => Promise<T>,
): Promise<T> {
  try {
    return await registry.transaction('READ COMMITTED', work);
  } catch (error) {
    throw orUnavailable('The tenant registry', error);
  }
}

/**
 * What the driver answers to one statement, which is given the registry's schema, quoted.
 *
 * @throws TenancyUnavailableError when the registry cannot be reached
 */
export async function askRegistry<Answer>(
  registry: DataSource,
  sql: (schema: string) => string,
  values: unknown[] = [],
): Promise<Answer> {
  try {
    return await registry.query<Answer>(sql(quoteIdentifier(registrySchema(registry))), values);
  } catch (error) {
    throw orUnavailable('The tenant registry', error);
  }
}
