import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { uuidV7Sql } from '../events/event-sql';
import { eventOutbox, eventTrail } from '../events/event-tables';
import { ACTION_TYPES } from '../events/tenant-audit';
import { registrySchema } from '../registry-schema';

/** The trail of events, which takes over what the audit has recorded. */
export class CreateTenantEvents1763601600000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    for (const statement of [eventOutbox(schema), ...eventTrail(schema)]) await queryRunner.query(statement);
    await queryRunner.query(takeOver(schema));
    await queryRunner.query(`DROP TABLE ${schema}.tenant_audit`);
  }

  /** What was recorded is lost. */
  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`
      CREATE TABLE ${schema}.tenant_audit (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT tenant_audit_pkey PRIMARY KEY,
        tenant_id uuid NOT NULL CONSTRAINT tenant_audit_tenant_id_fkey
          REFERENCES ${schema}.tenants (id) ON DELETE CASCADE,
        action text NOT NULL,
        actor text,
        reason text,
        details jsonb NOT NULL DEFAULT '{}',
        at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
      )`);
    await queryRunner.query(
      `CREATE INDEX tenant_audit_tenant_id_idx ON ${schema}.tenant_audit (tenant_id, id)`,
    );
    await queryRunner.query(`DROP TABLE ${schema}.tenant_event_heads, ${schema}.tenant_events`);
    await queryRunner.query(`DROP TABLE ${schema}.tenant_event_outbox`);
    await queryRunner.query(`DROP SEQUENCE ${schema}.tenant_event_positions`);
  }
}

/** The audit's records as events, in their order. Their ids have the time of the record, as a UUID of version 7 has. */
function takeOver(schema: string): string {
  const cases = Object.entries(ACTION_TYPES).map(([action, type]) => `WHEN '${action}' THEN '${type}'`);
  return `
    INSERT INTO ${schema}.tenant_event_outbox (id, tenant_id, type, actor_type, actor_id, data, occurred_at)
    SELECT ${uuidV7Sql('a.at')}, a.tenant_id,
      CASE a.action ${cases.join(' ')} ELSE 'tenant.' || a.action END,
      CASE WHEN a.actor IS NULL THEN 'system' WHEN a.actor LIKE 'api key %' THEN 'api-key' WHEN a.actor LIKE 'cli:%' THEN 'cli'
        ELSE 'operator' END,
      CASE WHEN a.actor LIKE 'api key %' THEN pg_catalog.substr(a.actor, 9) WHEN a.actor LIKE 'cli:%'
        THEN pg_catalog.substr(a.actor, 5) ELSE a.actor END,
      (CASE WHEN a.reason IS NULL THEN a.details
        ELSE a.details || pg_catalog.jsonb_build_object('reason', a.reason) END)::json, a.at
    FROM ${schema}.tenant_audit a ORDER BY a.id`;
}
