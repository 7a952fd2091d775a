import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';
import { NOTIFY_TRIGGERS, notifyTriggers } from '../changes/notify-triggers';
import { CHANNEL_IN_TRIGGER } from '../changes/tenant-changes-channel';

/** Each table with its column that holds the tenant's id. */
const TABLES = { tenants: 'id', tenant_domains: 'tenant_id' };

/** Tells all who LISTEN which tenant was changed, be it by the application or by SQL typed by hand. */
export class NotifyTenantChanges1763600100000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(notifyFunction(schema));
    for (const [table, column] of Object.entries(TABLES)) {
      for (const trigger of notifyTriggers(schema, table, column)) await queryRunner.query(trigger);
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    for (const table of Object.keys(TABLES)) {
      for (const name of NOTIFY_TRIGGERS)
        await queryRunner.query(`DROP TRIGGER ${name} ON ${schema}.${table}`);
    }
    await queryRunner.query(`DROP FUNCTION ${schema}.notify_tenant_change()`);
  }
}

/**
 * Runs as whoever makes the change, and finds nothing but PostgreSQL's own functions, whatever path that one has set.
 * The channel is that of the schema at the time of the change, so a schema that was renamed is heard as well.
 */
export function notifyFunction(schema: string): string {
  return `
    CREATE OR REPLACE FUNCTION ${schema}.notify_tenant_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
      channel text := ${CHANNEL_IN_TRIGGER};
    BEGIN
      IF TG_OP = 'TRUNCATE' THEN
        PERFORM pg_catalog.pg_notify(channel, '');
        RETURN NULL;
      END IF;
      -- Equal ones of a transaction are sent once.
      IF TG_OP <> 'INSERT' THEN
        PERFORM pg_catalog.pg_notify(channel, pg_catalog.to_jsonb(OLD) ->> TG_ARGV[0]);
      END IF;
      IF TG_OP <> 'DELETE' THEN
        PERFORM pg_catalog.pg_notify(channel, pg_catalog.to_jsonb(NEW) ->> TG_ARGV[0]);
      END IF;
      RETURN NULL;
    END
    $$`;
}
