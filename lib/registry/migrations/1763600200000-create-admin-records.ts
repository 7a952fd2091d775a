import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';

/** The tenants' versions, the record of who did what to them, and the answers kept for repeated requests. */
export class CreateAdminRecords1763600200000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`ALTER TABLE ${schema}.tenants ADD COLUMN version integer NOT NULL DEFAULT 1`);
    await queryRunner.query(tenantAudit(schema));
    await queryRunner.query(
      `CREATE INDEX tenant_audit_tenant_id_idx ON ${schema}.tenant_audit (tenant_id, id)`,
    );
    await queryRunner.query(idempotencyKeys(schema));
    await queryRunner.query(
      `CREATE INDEX idempotency_keys_expires_at_idx ON ${schema}.idempotency_keys (expires_at)`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.idempotency_keys, ${schema}.tenant_audit`);
    await queryRunner.query(`ALTER TABLE ${schema}.tenants DROP COLUMN version`);
  }
}

/** A creation that failed takes its record with it; a tombstone keeps it. */
function tenantAudit(schema: string): string {
  return `
    CREATE TABLE ${schema}.tenant_audit (
      id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT tenant_audit_pkey PRIMARY KEY,
      tenant_id uuid NOT NULL CONSTRAINT tenant_audit_tenant_id_fkey
        REFERENCES ${schema}.tenants (id) ON DELETE CASCADE,
      action text NOT NULL,
      actor text,
      reason text,
      details jsonb NOT NULL DEFAULT '{}',
      at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
    )`;
}

/**
 * `id` is a hash of who sent which key to which call: a key of 256 characters and a path of any length fit no index.
 * Until `answer` is there, the request is running for `owner`, or was, if `claimed_until` has passed.
 */
function idempotencyKeys(schema: string): string {
  return `
    CREATE TABLE ${schema}.idempotency_keys (
      id bytea NOT NULL CONSTRAINT idempotency_keys_pkey PRIMARY KEY,
      fingerprint bytea NOT NULL,
      owner uuid NOT NULL,
      tenant_id uuid NOT NULL,
      claimed_until timestamptz NOT NULL,
      expires_at timestamptz NOT NULL,
      answer json
    )`;
}
