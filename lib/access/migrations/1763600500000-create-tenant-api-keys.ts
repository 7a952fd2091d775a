import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { notifyTriggers } from '../../registry/changes/notify-triggers';
import { registrySchema } from '../../registry/registry-schema';

/** The tenants' API keys. */
export class CreateTenantApiKeys1763600500000 implements MigrationInterface {
  static readonly partOf = 'CreateApiKeys1763600500000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(apiKeys(schema));
    await queryRunner.query(`CREATE INDEX api_keys_tenant_id_idx ON ${schema}.api_keys (tenant_id, id)`);
    await queryRunner.query(apiKeyUses(schema));
    for (const trigger of notifyTriggers(schema, 'api_keys', 'tenant_id')) await queryRunner.query(trigger);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.api_key_uses, ${schema}.api_keys`);
  }
}

/**
 * Only the SHA-256 of a key is stored: a secret of 256 random bits needs no slow hash. `previous_digest` is the digest
 * from before a rotation, valid until `previous_until`. There is no foreign key to tenants, because another store may
 * hold them.
 */
function apiKeys(schema: string): string {
  return `
    CREATE TABLE ${schema}.api_keys (
      id uuid NOT NULL CONSTRAINT api_keys_pkey PRIMARY KEY,
      tenant_id uuid NOT NULL,
      name text NOT NULL,
      hint text NOT NULL,
      digest bytea NOT NULL CONSTRAINT api_keys_digest_check CHECK (octet_length(digest) = 32),
      previous_digest bytea,
      previous_until timestamptz(3),
      scopes text[] NOT NULL DEFAULT '{}',
      allowed_ips text[] NOT NULL DEFAULT '{}',
      expires_at timestamptz(3),
      blocked_at timestamptz(3),
      revoked_at timestamptz(3),
      version integer NOT NULL DEFAULT 1,
      created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
    )`;
}

/** A table of its own, because a use is not a change of the key that others must hear of. */
function apiKeyUses(schema: string): string {
  return `
    CREATE TABLE ${schema}.api_key_uses (
      key_id uuid NOT NULL CONSTRAINT api_key_uses_pkey PRIMARY KEY
        CONSTRAINT api_key_uses_key_id_fkey REFERENCES ${schema}.api_keys (id) ON DELETE CASCADE,
      last_used_at timestamptz(3) NOT NULL
    )`;
}
