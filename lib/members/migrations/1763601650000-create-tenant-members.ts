import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { notifyTriggers } from '../../registry/changes/notify-triggers';
import { registrySchema } from '../../registry/registry-schema';

/** Who belongs to which tenant. */
export class CreateTenantMembers1763601650000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(tenantMembers(schema));
    await queryRunner.query(
      `CREATE INDEX tenant_members_tenant_id_idx ON ${schema}.tenant_members (tenant_id, id)`,
    );
    await queryRunner.query(
      `CREATE INDEX tenant_members_subject_idx ON ${schema}.tenant_members (subject, issuer, id)`,
    );
    await queryRunner.query(
      `CREATE INDEX tenant_members_email_idx ON ${schema}.tenant_members (tenant_id, email_folded)`,
    );
    await queryRunner.query(memberUses(schema));
    for (const trigger of notifyTriggers(schema, 'tenant_members', 'tenant_id'))
      await queryRunner.query(trigger);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.tenant_member_uses, ${schema}.tenant_members`);
  }
}

/**
 * One row for a person in one tenant. `issuer` is empty for a subject of the application's own. There is no foreign key
 * to tenants, because another store may hold them.
 */
function tenantMembers(schema: string): string {
  return `
    CREATE TABLE ${schema}.tenant_members (
      id uuid NOT NULL CONSTRAINT tenant_members_pkey PRIMARY KEY,
      tenant_id uuid NOT NULL,
      issuer text NOT NULL,
      subject text NOT NULL,
      email text,
      email_folded text,
      name text,
      roles text[] NOT NULL DEFAULT '{}',
      scopes text[] NOT NULL DEFAULT '{}',
      status text NOT NULL DEFAULT 'active'
        CONSTRAINT tenant_members_status_check CHECK (status IN ('active', 'blocked')),
      version integer NOT NULL DEFAULT 1,
      joined_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      CONSTRAINT tenant_members_subject_key UNIQUE (tenant_id, issuer, subject)
    )`;
}

/** A table of its own, because being seen is not a change that others must hear of. */
function memberUses(schema: string): string {
  return `
    CREATE TABLE ${schema}.tenant_member_uses (
      member_id uuid NOT NULL CONSTRAINT tenant_member_uses_pkey PRIMARY KEY
        CONSTRAINT tenant_member_uses_member_id_fkey
        REFERENCES ${schema}.tenant_members (id) ON DELETE CASCADE,
      last_seen_at timestamptz(3) NOT NULL
    )`;
}
