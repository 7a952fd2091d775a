import { existsSync } from 'node:fs';
import { tenantDataSource } from 'nestjs-tenancy';
import { ENTITIES, MIGRATIONS } from './schema';

// The command line starts no application, which would have read it.
if (existsSync('.env')) process.loadEnvFile();

/** For TypeORM's command line: `npm run migration:generate -- src/database/migrations/add-place`. */
export default tenantDataSource({ entities: ENTITIES, migrations: MIGRATIONS });
