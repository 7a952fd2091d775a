import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../../registry/registry-schema';

/** What tenants have used, and which batches of each instance are included. */
export class CreateUsage1763600900000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(usageMonths(schema));
    await queryRunner.query(usageFlushes(schema));
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.usage_flushes, ${schema}.usage_months`);
  }
}

/**
 * A month and its days share one row, so that one row lock guards the quotas of both. There is no foreign key to
 * tenants, because the usage of a purged tenant must still be billed.
 */
function usageMonths(schema: string): string {
  return `
    CREATE TABLE ${schema}.usage_months (
      tenant_id uuid NOT NULL,
      metric text NOT NULL,
      month date NOT NULL CONSTRAINT usage_months_month_check CHECK (extract(day FROM month) = 1),
      total bigint NOT NULL,
      days bigint[] NOT NULL CONSTRAINT usage_months_days_check CHECK (array_length(days, 1) = 31),
      CONSTRAINT usage_months_pkey PRIMARY KEY (tenant_id, month, metric)
    )`;
}

/** The last batch of each instance. A batch whose answer was lost is sent again, and must not count twice. */
function usageFlushes(schema: string): string {
  return `
    CREATE TABLE ${schema}.usage_flushes (
      instance_id uuid NOT NULL CONSTRAINT usage_flushes_pkey PRIMARY KEY,
      batch bigint NOT NULL,
      at timestamptz NOT NULL DEFAULT clock_timestamp()
    )`;
}
