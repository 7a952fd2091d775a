import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../../registry/registry-schema';

/** The uses of master keys. */
export class CreateMasterKeyUses1763600510000 implements MigrationInterface {
  static readonly partOf = 'CreateApiKeys1763600500000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(masterKeyUses(schema));
    await queryRunner.query(`CREATE INDEX master_key_uses_at_idx ON ${schema}.master_key_uses (at)`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.master_key_uses`);
  }
}

function masterKeyUses(schema: string): string {
  return `
    CREATE TABLE ${schema}.master_key_uses (
      id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT master_key_uses_pkey PRIMARY KEY,
      name text NOT NULL,
      method text NOT NULL,
      path text NOT NULL,
      scope text NOT NULL,
      granted boolean NOT NULL,
      ip text,
      at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
    )`;
}
