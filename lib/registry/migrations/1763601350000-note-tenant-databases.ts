import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';

/**
 * On each server: the databases that are about to be made there, or wait for a tenant. CREATE DATABASE cannot be a part of a
 * transaction, so this says whose they are until they can say it themselves.
 */
export class NoteTenantDatabases1763601350000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`
      CREATE TABLE ${schema}.databases (
        name text NOT NULL CONSTRAINT databases_pkey PRIMARY KEY,
        slot integer CONSTRAINT databases_slot_key UNIQUE,
        template_version text,
        noted_at timestamptz(3) NOT NULL DEFAULT pg_catalog.clock_timestamp()
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.databases`);
  }
}
