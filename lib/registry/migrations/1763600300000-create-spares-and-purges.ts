import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';

/** Schemas that wait for a tenant, what was purged, and schemas that nobody knows. */
export class CreateSparesAndPurges1763600300000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(spares(schema));
    await queryRunner.query(purges(schema));
    await queryRunner.query(`CREATE INDEX purges_slug_idx ON ${schema}.purges (slug, started_at)`);
    await queryRunner.query(orphans(schema));
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.orphans, ${schema}.purges, ${schema}.spares`);
  }
}

/** A row and its schema are made in one transaction; taking it deletes the row in that of the new tenant. */
function spares(schema: string): string {
  return `
    CREATE TABLE ${schema}.spares (
      slot integer NOT NULL CONSTRAINT spares_pkey PRIMARY KEY CONSTRAINT spares_slot_check CHECK (slot >= 0),
      schema_name text NOT NULL CONSTRAINT spares_schema_name_key UNIQUE,
      template_version text NOT NULL,
      made_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
    )`;
}

/** The counts grow with each part that is dropped. Of the tenant itself nothing is kept beyond the end. */
function purges(schema: string): string {
  return `
    CREATE TABLE ${schema}.purges (
      tenant_id uuid NOT NULL CONSTRAINT purges_pkey PRIMARY KEY,
      slug text NOT NULL,
      schema_name text NOT NULL CONSTRAINT purges_schema_name_key UNIQUE,
      tenant jsonb CONSTRAINT purges_tenant_check CHECK (finished_at IS NULL OR tenant IS NULL),
      tables jsonb NOT NULL DEFAULT '{}',
      bytes bigint NOT NULL DEFAULT 0,
      purged_by text,
      started_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      finished_at timestamptz(3)
    )`;
}

/** When the sweeper first saw a schema of our kind of name that belongs to nobody. */
function orphans(schema: string): string {
  return `
    CREATE TABLE ${schema}.orphans (
      schema_name text NOT NULL CONSTRAINT orphans_pkey PRIMARY KEY,
      first_seen_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
    )`;
}
