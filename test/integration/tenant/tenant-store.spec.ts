import { DataSource } from 'typeorm';
import { InMemoryTenantStore } from '../../../lib/registry/store/in-memory-tenant.store';
import { openRegistry, registryOptions } from '../../../lib/registry/registry';
import { TypeOrmTenantStore } from '../../../lib/registry/store/typeorm-tenant.store';
import { runTenantStoreContract } from '../../../lib/testing/tenant-store.contract';
import { createTestDatabase } from '../../support/database';
import type { TestDatabase } from '../../support/database';

runTenantStoreContract('InMemoryTenantStore', () => new InMemoryTenantStore());

describe.each(['read committed', 'serializable'])('where transactions are %s by default', (isolation) => {
  let database: TestDatabase;
  let registry: DataSource;

  beforeAll(async () => {
    database = await createTestDatabase();
    const name = new URL(database.url).pathname.slice(1);
    await database.query(`ALTER DATABASE ${name} SET default_transaction_isolation = '${isolation}'`);
    registry = new DataSource(registryOptions({ url: database.url }));
    await openRegistry(registry);
  });

  afterAll(async () => {
    await registry?.destroy();
    await database?.drop();
  });

  runTenantStoreContract('TypeOrmTenantStore', async () => {
    await database.query(
      'TRUNCATE tenancy.tenants, tenancy.tenant_events, tenancy.tenant_event_outbox CASCADE',
    );
    return new TypeOrmTenantStore(registry);
  });
});
