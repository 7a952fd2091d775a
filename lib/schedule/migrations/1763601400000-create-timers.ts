import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../../registry/registry-schema';

/** What has been decided of each timer, its latest runs, and the tenants that failed in them. */
export class CreateTimers1763601400000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    for (const make of [timers, timerRuns, timerFailures])
      for (const sql of make(schema)) await queryRunner.query(sql);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.timer_failures, ${schema}.timer_runs, ${schema}.timers`);
  }
}

/** Of all fires up to `decided_until` it is decided whether they run. It never goes back, whatever clocks do. */
function timers(schema: string): string[] {
  return [
    `CREATE TABLE ${schema}.timers (
      name text NOT NULL CONSTRAINT timers_pkey PRIMARY KEY,
      expression text NOT NULL,
      time_zone text NOT NULL,
      decided_until timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      skipped bigint NOT NULL DEFAULT 0,
      skipped_at timestamptz(3)
    )`,
  ];
}

/** A run is the claim of one instance to one fire, for as long as it renews its lease. A timer has one at a time. */
function timerRuns(schema: string): string[] {
  return [
    `CREATE TABLE ${schema}.timer_runs (
      name text NOT NULL,
      fire_at timestamptz(3) NOT NULL,
      state text NOT NULL CONSTRAINT timer_runs_state_check CHECK (state IN ('running', 'done', 'broken')),
      claim_id uuid NOT NULL,
      holder text NOT NULL,
      lease_until timestamptz NOT NULL,
      after_id uuid,
      in_flight uuid[] NOT NULL DEFAULT '{}',
      visited integer NOT NULL DEFAULT 0,
      failed integer NOT NULL DEFAULT 0,
      resumed integer NOT NULL DEFAULT 0,
      error text,
      started_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
      finished_at timestamptz(3),
      CONSTRAINT timer_runs_pkey PRIMARY KEY (name, fire_at)
    ) WITH (fillfactor = 50)`,
    `CREATE UNIQUE INDEX timer_runs_running_key ON ${schema}.timer_runs (name) WHERE state = 'running'`,
  ];
}

/** There is no foreign key to tenants, because another store may hold them. */
function timerFailures(schema: string): string[] {
  return [
    `CREATE TABLE ${schema}.timer_failures (
      name text NOT NULL,
      fire_at timestamptz(3) NOT NULL,
      tenant_id uuid NOT NULL,
      slug text NOT NULL,
      error text NOT NULL,
      CONSTRAINT timer_failures_pkey PRIMARY KEY (name, fire_at, tenant_id),
      CONSTRAINT timer_failures_run_fkey FOREIGN KEY (name, fire_at)
        REFERENCES ${schema}.timer_runs (name, fire_at) ON DELETE CASCADE
    )`,
    `CREATE INDEX timer_failures_tenant_idx ON ${schema}.timer_failures (tenant_id)`,
  ];
}
