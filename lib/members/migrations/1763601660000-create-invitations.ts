import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../../registry/registry-schema';

/** Whom tenants have invited. */
export class CreateInvitations1763601660000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(tenantInvitations(schema));
    await queryRunner.query(
      `CREATE INDEX tenant_invitations_tenant_id_idx ON ${schema}.tenant_invitations (tenant_id, id)`,
    );
    await queryRunner.query(
      `CREATE UNIQUE INDEX tenant_invitations_pending_key ON ${schema}.tenant_invitations (tenant_id, email_folded)
       WHERE status = 'pending'`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.tenant_invitations`);
  }
}

/**
 * `digest` is the SHA-256 of the whole secret. A row may be `pending` although its time is over: `expired` is written when a
 * new invitation takes its place. There is no foreign key to tenants, because another store may hold them.
 */
function tenantInvitations(schema: string): string {
  return `
    CREATE TABLE ${schema}.tenant_invitations (
      id uuid NOT NULL CONSTRAINT tenant_invitations_pkey PRIMARY KEY,
      tenant_id uuid NOT NULL,
      email text NOT NULL,
      email_folded text NOT NULL,
      any_email boolean NOT NULL DEFAULT false,
      roles text[] NOT NULL DEFAULT '{}',
      scopes text[] NOT NULL DEFAULT '{}',
      digest bytea NOT NULL CONSTRAINT tenant_invitations_digest_check CHECK (octet_length(digest) = 32),
      status text NOT NULL DEFAULT 'pending' CONSTRAINT tenant_invitations_status_check
        CHECK (status IN ('pending', 'accepted', 'declined', 'revoked', 'expired')),
      invited_by text,
      member_id uuid,
      expires_at timestamptz(3) NOT NULL,
      version integer NOT NULL DEFAULT 1,
      created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
    )`;
}
