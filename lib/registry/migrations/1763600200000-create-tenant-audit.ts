import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';

/** The tenants' versions, and the record of who did what to them. */
export class CreateTenantAudit1763600200000 implements MigrationInterface {
  static readonly partOf = 'CreateAdminRecords1763600200000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`ALTER TABLE ${schema}.tenants ADD COLUMN version integer NOT NULL DEFAULT 1`);
    await queryRunner.query(tenantAudit(schema));
    await queryRunner.query(
      `CREATE INDEX tenant_audit_tenant_id_idx ON ${schema}.tenant_audit (tenant_id, id)`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.tenant_audit`);
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
