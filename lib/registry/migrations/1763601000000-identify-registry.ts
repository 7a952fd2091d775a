import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';

/** Who this registry is, among all that share a database: each schema that is its own says so in its comment. */
export class IdentifyRegistry1763601000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(registryIdentity(schema));
    await queryRunner.query(`INSERT INTO ${schema}.registry_identity DEFAULT VALUES`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.registry_identity`);
  }
}

/** One row. */
function registryIdentity(schema: string): string {
  return `
    CREATE TABLE ${schema}.registry_identity (
      id uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
      is_only boolean NOT NULL DEFAULT true
        CONSTRAINT registry_identity_pkey PRIMARY KEY CONSTRAINT registry_identity_check CHECK (is_only)
    )`;
}
