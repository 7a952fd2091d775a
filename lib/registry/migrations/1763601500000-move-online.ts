import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';

const BEFORE = ['planned', 'copying', 'fencing', 'switching', 'cleaning', 'done', 'failed'];

/** Moves during which the tenant's writes go on. `unlinked_at`: since when nothing at either place knows of the other. */
export class MoveOnline1763601500000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(
      `ALTER TABLE ${schema}.moves ADD COLUMN fallback text, ADD COLUMN unlinked_at timestamptz(3)`,
    );
    await queryRunner.query(states(schema, [...BEFORE, 'following']));
    await queryRunner.query(
      `CREATE INDEX moves_to_unlink_idx ON ${schema}.moves (finished_at) WHERE how = 'online' AND unlinked_at IS NULL`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP INDEX ${schema}.moves_to_unlink_idx`);
    await queryRunner.query(states(schema, BEFORE));
    await queryRunner.query(`ALTER TABLE ${schema}.moves DROP COLUMN fallback, DROP COLUMN unlinked_at`);
  }
}

function states(schema: string, names: readonly string[]): string {
  return `ALTER TABLE ${schema}.moves DROP CONSTRAINT moves_state_check,
    ADD CONSTRAINT moves_state_check CHECK (state IN (${names.map((name) => `'${name}'`).join(', ')}))`;
}
