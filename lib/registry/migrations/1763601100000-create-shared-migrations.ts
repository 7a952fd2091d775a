import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';

/** Which migrations each shared schema has seen. */
export class CreateSharedMigrations1763601100000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`
      CREATE TABLE ${schema}.shared_migrations (
        schema_name text NOT NULL,
        name text NOT NULL,
        timestamp bigint NOT NULL,
        checksum text NOT NULL,
        applied_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT shared_migrations_pkey PRIMARY KEY (schema_name, name)
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.shared_migrations`);
  }
}
