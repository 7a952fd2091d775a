import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';

/** Adds each tenant's last migration to its row, where look-ups find it, and the state of migrations without a transaction. */
export class TrackSchemaVersions1763600600000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`ALTER TABLE ${schema}.tenants ADD COLUMN schema_version text`);
    await queryRunner.query(`
      UPDATE ${schema}.tenants t SET schema_version = (
        SELECT m.name FROM ${schema}.tenant_migrations m WHERE m.tenant_id = t.id AND m.state = 'done'
        ORDER BY m.timestamp DESC, m.name DESC LIMIT 1)`);
    await queryRunner.query(`
      ALTER TABLE ${schema}.tenant_migrations DROP CONSTRAINT tenant_migrations_state_check,
        ADD CONSTRAINT tenant_migrations_state_check CHECK (state IN ('done', 'failed', 'unfinished'))`);
    await queryRunner.query(
      `CREATE INDEX tenant_migrations_trouble_idx ON ${schema}.tenant_migrations (at) WHERE state <> 'done'`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP INDEX ${schema}.tenant_migrations_trouble_idx`);
    await queryRunner.query(`DELETE FROM ${schema}.tenant_migrations WHERE state = 'unfinished'`);
    await queryRunner.query(`
      ALTER TABLE ${schema}.tenant_migrations DROP CONSTRAINT tenant_migrations_state_check,
        ADD CONSTRAINT tenant_migrations_state_check CHECK (state IN ('done', 'failed'))`);
    await queryRunner.query(`ALTER TABLE ${schema}.tenants DROP COLUMN schema_version`);
  }
}
