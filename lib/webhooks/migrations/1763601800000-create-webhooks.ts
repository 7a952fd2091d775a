import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../../registry/registry-schema';

/** Where tenants want to be told of events, with which secrets, and what has been sent there. */
export class CreateWebhooks1763601800000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    for (const make of [endpoints, secrets, deliveries, attempts, lanes])
      for (const sql of make(schema)) await queryRunner.query(sql);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(
      `DROP TABLE ${schema}.webhook_lanes, ${schema}.webhook_attempts, ${schema}.webhook_deliveries,
         ${schema}.webhook_secrets, ${schema}.webhook_endpoints`,
    );
  }
}

/**
 * There is no foreign key to tenants, because another store may hold them. `first_failed_at` is when the failures began
 * that go on until now; null while deliveries arrive.
 */
function endpoints(schema: string): string[] {
  return [
    `CREATE TABLE ${schema}.webhook_endpoints (
      id uuid NOT NULL CONSTRAINT webhook_endpoints_pkey PRIMARY KEY,
      tenant_id uuid NOT NULL,
      url text NOT NULL,
      types text[] NOT NULL DEFAULT '{}',
      description text NOT NULL DEFAULT '',
      status text NOT NULL DEFAULT 'enabled'
        CONSTRAINT webhook_endpoints_status_check CHECK (status IN ('enabled', 'disabled')),
      disabled_reason text,
      first_failed_at timestamptz(3),
      version integer NOT NULL DEFAULT 1,
      created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
    )`,
    `CREATE INDEX webhook_endpoints_tenant_id_idx ON ${schema}.webhook_endpoints (tenant_id, id)`,
  ];
}

/** Encrypted with the key of the application's that `key_id` names. The one without `expires_at` is the current one. */
function secrets(schema: string): string[] {
  return [
    `CREATE TABLE ${schema}.webhook_secrets (
      id uuid NOT NULL CONSTRAINT webhook_secrets_pkey PRIMARY KEY,
      endpoint_id uuid NOT NULL CONSTRAINT webhook_secrets_endpoint_id_fkey
        REFERENCES ${schema}.webhook_endpoints (id) ON DELETE CASCADE,
      key_id text NOT NULL,
      ciphertext bytea NOT NULL,
      created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      expires_at timestamptz(3)
    )`,
    `CREATE INDEX webhook_secrets_endpoint_id_idx ON ${schema}.webhook_secrets (endpoint_id)`,
    `CREATE UNIQUE INDEX webhook_secrets_current_key ON ${schema}.webhook_secrets (endpoint_id) WHERE expires_at IS NULL`,
  ];
}

/** The payload is the exact text that is signed, the same in each attempt, also when the event has been pruned since. */
function deliveries(schema: string): string[] {
  return [
    `CREATE TABLE ${schema}.webhook_deliveries (
      id uuid NOT NULL CONSTRAINT webhook_deliveries_pkey PRIMARY KEY,
      endpoint_id uuid NOT NULL CONSTRAINT webhook_deliveries_endpoint_id_fkey
        REFERENCES ${schema}.webhook_endpoints (id) ON DELETE CASCADE,
      tenant_id uuid NOT NULL,
      event_id uuid NOT NULL,
      type text NOT NULL,
      payload text NOT NULL,
      status text NOT NULL DEFAULT 'pending'
        CONSTRAINT webhook_deliveries_status_check CHECK (status IN ('pending', 'delivered', 'dead')),
      attempt integer NOT NULL DEFAULT 0,
      next_attempt_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      finished_at timestamptz(3),
      CONSTRAINT webhook_deliveries_event_key UNIQUE (endpoint_id, event_id)
    ) WITH (fillfactor = 80)`,
    `CREATE INDEX webhook_deliveries_due_idx ON ${schema}.webhook_deliveries (endpoint_id, next_attempt_at)
       WHERE status = 'pending'`,
    `CREATE INDEX webhook_deliveries_pending_idx ON ${schema}.webhook_deliveries (created_at) WHERE status = 'pending'`,
    `CREATE INDEX webhook_deliveries_finished_at_idx ON ${schema}.webhook_deliveries (finished_at)
       WHERE finished_at IS NOT NULL`,
    `CREATE INDEX webhook_deliveries_endpoint_id_idx ON ${schema}.webhook_deliveries (endpoint_id, id)`,
    `CREATE INDEX webhook_deliveries_tenant_id_idx ON ${schema}.webhook_deliveries (tenant_id)`,
  ];
}

/** `status` is that of the answer; null when there was none, and `error` says why. No body of an answer is kept. */
function attempts(schema: string): string[] {
  return [
    `CREATE TABLE ${schema}.webhook_attempts (
      id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT webhook_attempts_pkey PRIMARY KEY,
      delivery_id uuid NOT NULL CONSTRAINT webhook_attempts_delivery_id_fkey
        REFERENCES ${schema}.webhook_deliveries (id) ON DELETE CASCADE,
      at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      status integer,
      duration_ms integer NOT NULL,
      error text
    )`,
    `CREATE INDEX webhook_attempts_delivery_id_idx ON ${schema}.webhook_attempts (delivery_id, id)`,
  ];
}

/**
 * A lane is the way to one endpoint, and the instance that has leased it is the only one that sends there: so the bounds of
 * an endpoint hold for all instances together, and the backlog of one is not in the way of the others. `next_at` is
 * when it has something to send, null when it has nothing, and never before `hold_until`, until when its receiver is left
 * alone. `failures` is how many attempts have failed in a row.
 */
function lanes(schema: string): string[] {
  return [
    `CREATE TABLE ${schema}.webhook_lanes (
      endpoint_id uuid NOT NULL CONSTRAINT webhook_lanes_pkey PRIMARY KEY
        CONSTRAINT webhook_lanes_endpoint_id_fkey REFERENCES ${schema}.webhook_endpoints (id) ON DELETE CASCADE,
      tenant_id uuid NOT NULL,
      next_at timestamptz(3),
      hold_until timestamptz(3),
      lease_until timestamptz(3),
      lease_token uuid,
      failures integer NOT NULL DEFAULT 0
    ) WITH (fillfactor = 50)`,
    `CREATE INDEX webhook_lanes_next_at_idx ON ${schema}.webhook_lanes (next_at) WHERE next_at IS NOT NULL`,
    `CREATE INDEX webhook_lanes_tenant_id_idx ON ${schema}.webhook_lanes (tenant_id)`,
  ];
}
