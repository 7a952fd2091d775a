import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';

/** The tables of the registry, in the schema that its DataSource names. */
export class CreateRegistry1763600000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(tenants(schema));
    // A slug is free again once its tenant is purged; a schema's name never is.
    await queryRunner.query(
      `CREATE UNIQUE INDEX tenants_slug_key ON ${schema}.tenants (slug) WHERE status <> 'purged'`,
    );
    await queryRunner.query(`CREATE INDEX tenants_status_idx ON ${schema}.tenants (status, id)`);
    await queryRunner.query(tenantDomains(schema));
    await queryRunner.query(
      `CREATE INDEX tenant_domains_tenant_id_idx ON ${schema}.tenant_domains (tenant_id)`,
    );
    await queryRunner.query(templateMigrations(schema));
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(
      `DROP TABLE ${schema}.template_migrations, ${schema}.tenant_domains, ${schema}.tenants`,
    );
  }
}

function tenants(schema: string): string {
  return `
    CREATE TABLE ${schema}.tenants (
      id uuid NOT NULL CONSTRAINT tenants_pkey PRIMARY KEY,
      slug text NOT NULL,
      name text NOT NULL,
      schema_name text NOT NULL CONSTRAINT tenants_schema_name_key UNIQUE,
      status text NOT NULL CONSTRAINT tenants_status_check
        CHECK (status IN ('provisioning', 'active', 'suspended', 'deleted', 'purged')),
      status_reason text,
      deleted_from text,
      metadata jsonb NOT NULL DEFAULT '{}' CONSTRAINT tenants_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
      template_version text,
      created_at timestamptz(3) NOT NULL DEFAULT now(),
      updated_at timestamptz(3) NOT NULL DEFAULT now()
    )`;
}

function tenantDomains(schema: string): string {
  return `
    CREATE TABLE ${schema}.tenant_domains (
      domain text NOT NULL CONSTRAINT tenant_domains_pkey PRIMARY KEY,
      tenant_id uuid NOT NULL CONSTRAINT tenant_domains_tenant_id_fkey
        REFERENCES ${schema}.tenants (id) ON DELETE CASCADE
    )`;
}

/** Which of the application's migrations the template has seen. */
function templateMigrations(schema: string): string {
  return `
    CREATE TABLE ${schema}.template_migrations (
      name text NOT NULL CONSTRAINT template_migrations_pkey PRIMARY KEY,
      timestamp bigint NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`;
}
