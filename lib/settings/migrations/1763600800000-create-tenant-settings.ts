import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { notifyTriggers } from '../../registry/changes/notify-triggers';
import { registrySchema } from '../../registry/registry-schema';

/** The tenants' settings. */
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
 * One row for each tenant, because all its settings are always read together. The version rises with every change and
 * is never used again. There is no foreign key, because tenants of another store have settings, too.
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
