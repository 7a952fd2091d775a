import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';

/** What clones of the template print otherwise than it does, and mean the same: found out once for all instances. */
export class KeepTemplatePrints1763601050000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`
      CREATE TABLE ${schema}.template_prints (
        structure text NOT NULL,
        server text NOT NULL,
        prints jsonb NOT NULL,
        kept_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT template_prints_pkey PRIMARY KEY (structure, server)
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.template_prints`);
  }
}
