import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { notifyTriggers } from '../../registry/changes/notify-triggers';
import { registrySchema } from '../../registry/registry-schema';

/** Who comes to help a tenant: for a while, or because its owners are gone. There are no foreign keys, as for members. */
export class CreateSupportAccess1763601670000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`
      CREATE TABLE ${schema}.tenant_support_access (
        tenant_id uuid NOT NULL CONSTRAINT tenant_support_access_pkey PRIMARY KEY,
        access text NOT NULL CONSTRAINT tenant_support_access_check CHECK (access IN ('never', 'ask', 'allowed'))
      )`);
    await queryRunner.query(supportSessions(schema));
    await queryRunner.query(
      `CREATE INDEX tenant_support_sessions_tenant_id_idx ON ${schema}.tenant_support_sessions (tenant_id, id)`,
    );
    await queryRunner.query(
      `CREATE INDEX tenant_support_sessions_expires_at_idx ON ${schema}.tenant_support_sessions (expires_at)
       WHERE ended_as IS NULL`,
    );
    for (const trigger of notifyTriggers(schema, 'tenant_support_sessions', 'tenant_id'))
      await queryRunner.query(trigger);
    await queryRunner.query(recoveryKeys(schema));
    await queryRunner.query(
      `CREATE INDEX tenant_recovery_keys_tenant_id_idx ON ${schema}.tenant_recovery_keys (tenant_id, id)`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(
      `DROP TABLE ${schema}.tenant_support_access, ${schema}.tenant_support_sessions, ${schema}.tenant_recovery_keys`,
    );
  }
}

/** `actor` is who has entered; `approved_at` is null while the tenant was asked and has not answered. */
function supportSessions(schema: string): string {
  return `
    CREATE TABLE ${schema}.tenant_support_sessions (
      id uuid NOT NULL CONSTRAINT tenant_support_sessions_pkey PRIMARY KEY,
      tenant_id uuid NOT NULL,
      digest bytea NOT NULL CONSTRAINT tenant_support_sessions_digest_check CHECK (octet_length(digest) = 32),
      actor text NOT NULL,
      reason text NOT NULL,
      scopes text[] NOT NULL,
      minutes integer NOT NULL,
      approved_by text,
      approved_at timestamptz(3),
      first_used_at timestamptz(3),
      expires_at timestamptz(3) NOT NULL,
      ended_at timestamptz(3),
      ended_as text CONSTRAINT tenant_support_sessions_ended_as_check CHECK (ended_as IN ('revoked', 'expired', 'lapsed')),
      version integer NOT NULL DEFAULT 1,
      created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
    )`;
}

function recoveryKeys(schema: string): string {
  return `
    CREATE TABLE ${schema}.tenant_recovery_keys (
      id uuid NOT NULL CONSTRAINT tenant_recovery_keys_pkey PRIMARY KEY,
      tenant_id uuid NOT NULL,
      digest bytea NOT NULL CONSTRAINT tenant_recovery_keys_digest_check CHECK (octet_length(digest) = 32),
      actor text NOT NULL,
      reason text NOT NULL,
      expires_at timestamptz(3) NOT NULL,
      used_at timestamptz(3),
      revoked_at timestamptz(3),
      member_id uuid,
      created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
    )`;
}
