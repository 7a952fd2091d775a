import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';

/** Which migrations each tenant has seen, and the runs that brought them. */
export class CreateFleetLedger1763600400000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`ALTER TABLE ${schema}.template_migrations ADD COLUMN checksum text`);
    await queryRunner.query(migrationRuns(schema));
    await queryRunner.query(
      `CREATE UNIQUE INDEX migration_runs_one_at_a_time ON ${schema}.migration_runs ((true)) WHERE state = 'running'`,
    );
    await queryRunner.query(tenantMigrations(schema));
    await queryRunner.query(
      `CREATE INDEX tenant_migrations_run_id_idx ON ${schema}.tenant_migrations (run_id, tenant_id)`,
    );
    await queryRunner.query(ofTenantsMadeBefore(schema));
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.tenant_migrations, ${schema}.migration_runs`);
    await queryRunner.query(`ALTER TABLE ${schema}.template_migrations DROP COLUMN checksum`);
  }
}

/** A run that lives renews its lock; one whose lock has expired is dead, and the next may take its place. */
function migrationRuns(schema: string): string {
  return `
    CREATE TABLE ${schema}.migration_runs (
      id uuid NOT NULL CONSTRAINT migration_runs_pkey PRIMARY KEY,
      direction text NOT NULL CONSTRAINT migration_runs_direction_check CHECK (direction IN ('up', 'down')),
      state text NOT NULL CONSTRAINT migration_runs_state_check
        CHECK (state IN ('running', 'done', 'failed', 'halted', 'abandoned')),
      holder text NOT NULL,
      migrations jsonb NOT NULL,
      report jsonb,
      lease_until timestamptz NOT NULL,
      started_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      finished_at timestamptz(3)
    )`;
}

/**
 * No reference to tenants, which another store than ours may keep. `run_id` is null for what a tenant was cloned with.
 */
function tenantMigrations(schema: string): string {
  return `
    CREATE TABLE ${schema}.tenant_migrations (
      tenant_id uuid NOT NULL,
      name text NOT NULL,
      timestamp bigint NOT NULL,
      checksum text,
      state text NOT NULL CONSTRAINT tenant_migrations_state_check CHECK (state IN ('done', 'failed')),
      run_id uuid,
      at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      duration_ms integer,
      error text,
      statement text,
      CONSTRAINT tenant_migrations_pkey PRIMARY KEY (tenant_id, name)
    )`;
}

/** A tenant was cloned with what the template had seen by then. */
function ofTenantsMadeBefore(schema: string): string {
  return `
    INSERT INTO ${schema}.tenant_migrations (tenant_id, name, timestamp, state, at)
    SELECT t.id, m.name, m.timestamp, 'done', t.created_at
    FROM ${schema}.tenants t JOIN ${schema}.template_migrations m ON m.applied_at <= t.created_at
    WHERE t.status <> 'purged' AND t.template_version IS NOT NULL`;
}
