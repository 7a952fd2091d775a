import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { notifyTriggers } from '../../registry/changes/notify-triggers';
import { registrySchema } from '../../registry/registry-schema';

/** What tenants have set. */
export class CreateTenantSettings1763600800000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(tenantSettings(schema));
    const triggers = notifyTriggers(schema, 'tenant_settings', 'tenant_id');
    for (const trigger of triggers) await queryRunner.query(trigger);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.tenant_settings`);
  }
}

/**
 * One row a tenant: what is read is always all of it, and its version counts every change, so that an old one never
 * comes back. No foreign key: the tenants of another store have settings, too.
 */
function tenantSettings(schema: string): string {
  return `
    CREATE TABLE ${schema}.tenant_settings (
      tenant_id uuid NOT NULL CONSTRAINT tenant_settings_pkey PRIMARY KEY,
      settings jsonb NOT NULL DEFAULT '{}' CONSTRAINT tenant_settings_settings_check
        CHECK (jsonb_typeof(settings) = 'object'),
      version integer NOT NULL DEFAULT 0,
      updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
    )`;
}
