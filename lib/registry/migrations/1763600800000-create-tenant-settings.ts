import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';

/**
 * What tenants have set. It is made whether `nestjs-tenancy/settings` is imported or not: what an instance finds in the
 * registry must not depend on the modules of the one that came first.
 */
export class CreateTenantSettings1763600800000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(tenantSettings(schema));
    for (const [name, trigger] of Object.entries(triggers(schema))) {
      await queryRunner.query(trigger);
      await queryRunner.query(`ALTER TABLE ${schema}.tenant_settings ENABLE ALWAYS TRIGGER ${name}`);
    }
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

/** A changed setting is told as a change of its tenant. */
function triggers(schema: string): Record<string, string> {
  const execute = `EXECUTE FUNCTION ${schema}.notify_tenant_change('tenant_id')`;
  const on = `ON ${schema}.tenant_settings`;
  return {
    tenancy_notify_rows: `CREATE TRIGGER tenancy_notify_rows AFTER INSERT OR UPDATE OR DELETE ${on} FOR EACH ROW ${execute}`,
    tenancy_notify_truncation: `CREATE TRIGGER tenancy_notify_truncation AFTER TRUNCATE ${on} FOR EACH STATEMENT ${execute}`,
  };
}
