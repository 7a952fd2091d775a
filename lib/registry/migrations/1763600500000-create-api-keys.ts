import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';

const NOTIFY = ['tenancy_notify_rows', 'tenancy_notify_truncation'];

/**
 * The tenants' API keys, and what was done with master keys. They are made whether `nestjs-tenancy/access` is imported or
 * not: what an instance finds in the registry must not depend on the modules of the one that came first.
 */
export class CreateApiKeys1763600500000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(apiKeys(schema));
    await queryRunner.query(`CREATE INDEX api_keys_tenant_id_idx ON ${schema}.api_keys (tenant_id, id)`);
    await queryRunner.query(apiKeyUses(schema));
    await queryRunner.query(masterKeyUses(schema));
    await queryRunner.query(`CREATE INDEX master_key_uses_at_idx ON ${schema}.master_key_uses (at)`);
    for (const trigger of triggers(schema)) await queryRunner.query(trigger);
    for (const name of NOTIFY)
      await queryRunner.query(`ALTER TABLE ${schema}.api_keys ENABLE ALWAYS TRIGGER ${name}`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(
      `DROP TABLE ${schema}.master_key_uses, ${schema}.api_key_uses, ${schema}.api_keys`,
    );
  }
}

/**
 * Of a key only its SHA-256 is kept: 256 random bits need no slow hash. `previous_digest` is that of before a rotation,
 * good until `previous_until`. No reference to tenants, which another store than ours may keep.
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

/** Apart from the keys: a use is no change, and nobody need hear of it. */
function apiKeyUses(schema: string): string {
  return `
    CREATE TABLE ${schema}.api_key_uses (
      key_id uuid NOT NULL CONSTRAINT api_key_uses_pkey PRIMARY KEY
        CONSTRAINT api_key_uses_key_id_fkey REFERENCES ${schema}.api_keys (id) ON DELETE CASCADE,
      last_used_at timestamptz(3) NOT NULL
    )`;
}

function masterKeyUses(schema: string): string {
  return `
    CREATE TABLE ${schema}.master_key_uses (
      id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT master_key_uses_pkey PRIMARY KEY,
      name text NOT NULL,
      method text NOT NULL,
      path text NOT NULL,
      scope text NOT NULL,
      granted boolean NOT NULL,
      ip text,
      at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
    )`;
}

/** A changed key is told as a change of its tenant. */
function triggers(schema: string): string[] {
  const [rows, truncation] = NOTIFY;
  const execute = `EXECUTE FUNCTION ${schema}.notify_tenant_change('tenant_id')`;
  return [
    `CREATE TRIGGER ${rows} AFTER INSERT OR UPDATE OR DELETE ON ${schema}.api_keys FOR EACH ROW ${execute}`,
    `CREATE TRIGGER ${truncation} AFTER TRUNCATE ON ${schema}.api_keys FOR EACH STATEMENT ${execute}`,
  ];
}
