import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';
import { CHANNEL_IN_TRIGGER, MOVE_NEWS } from '../changes/tenant-changes-channel';

/** Moves of tenants from one place to another, and who hears of them. */
export class CreateMoves1763601300000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`
      ALTER TABLE ${schema}.tenants
        ADD COLUMN placement_version integer NOT NULL DEFAULT 1,
        ADD COLUMN move_id uuid`);
    await queryRunner.query(moves(schema));
    await queryRunner.query(
      `CREATE UNIQUE INDEX moves_one_open_idx ON ${schema}.moves (tenant_id) WHERE finished_at IS NULL`,
    );
    await queryRunner.query(
      `CREATE INDEX moves_to_drop_idx ON ${schema}.moves (drop_after) WHERE drop_after IS NOT NULL AND dropped_at IS NULL`,
    );
    await queryRunner.query(notifyFunction(schema));
    for (const statement of [
      ...trigger(schema, 'tenants', 'UPDATE OF server, isolation', 'id'),
      ...trigger(schema, 'moves', 'INSERT OR UPDATE OF state', 'tenant_id'),
    ])
      await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TRIGGER ${NAME} ON ${schema}.tenants`);
    await queryRunner.query(`DROP TABLE ${schema}.moves`);
    await queryRunner.query(`DROP FUNCTION ${schema}.notify_tenant_move()`);
    await queryRunner.query(
      `ALTER TABLE ${schema}.tenants DROP COLUMN placement_version, DROP COLUMN move_id`,
    );
  }
}

/** All times are those of the registry's clock. */
function moves(schema: string): string {
  return `
    CREATE TABLE ${schema}.moves (
      id uuid NOT NULL CONSTRAINT moves_pkey PRIMARY KEY,
      tenant_id uuid NOT NULL,
      schema_name text NOT NULL,
      from_server text NOT NULL,
      from_isolation text NOT NULL,
      to_server text NOT NULL,
      to_isolation text NOT NULL,
      how text NOT NULL,
      verify text NOT NULL,
      state text NOT NULL DEFAULT 'planned' CONSTRAINT moves_state_check
        CHECK (state IN ('planned', 'copying', 'fencing', 'switching', 'cleaning', 'done', 'failed')),
      actor text,
      reason text,
      cancelled_by text,
      progress jsonb NOT NULL DEFAULT '{}',
      worker text NOT NULL,
      heartbeat_at timestamptz(3) NOT NULL DEFAULT pg_catalog.clock_timestamp(),
      started_at timestamptz(3) NOT NULL DEFAULT pg_catalog.clock_timestamp(),
      state_at timestamptz(3) NOT NULL DEFAULT pg_catalog.clock_timestamp(),
      finished_at timestamptz(3),
      drop_after timestamptz(3),
      dropped_at timestamptz(3)
    )`;
}

const NAME = 'tenancy_notify_move';

function trigger(schema: string, table: string, events: string, column: string): string[] {
  return [
    `CREATE TRIGGER ${NAME} AFTER ${events} ON ${schema}.${table}
     FOR EACH ROW EXECUTE FUNCTION ${schema}.notify_tenant_move('${column}')`,
    `ALTER TABLE ${schema}.${table} ENABLE ALWAYS TRIGGER ${NAME}`,
  ];
}

/**
 * News of its own beside those of changed tenants: who holds a tenant for long asks for its place again only after these.
 * A version that does not know them takes them for the id of a tenant that it has never heard of.
 */
function notifyFunction(schema: string): string {
  return `
    CREATE FUNCTION ${schema}.notify_tenant_move() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
      PERFORM pg_catalog.pg_notify(${CHANNEL_IN_TRIGGER}, '${MOVE_NEWS}' || (pg_catalog.to_jsonb(NEW) ->> TG_ARGV[0]));
      RETURN NULL;
    END
    $$`;
}
