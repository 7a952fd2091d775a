import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../../registry/registry-schema';

/** How far each follower of the event trail has come, and for which tenants it is behind. */
export class CreateEventFollowers1763601700000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    for (const make of [eventFollowers, eventBacklogs])
      for (const sql of make(schema)) await queryRunner.query(sql);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`DROP TABLE ${schema}.event_backlogs, ${schema}.event_followers`);
  }
}

/** Up to `position` the trail has been looked through for events of these types; what was found stands in the backlogs. */
function eventFollowers(schema: string): string[] {
  return [
    `CREATE TABLE ${schema}.event_followers (
      name text NOT NULL CONSTRAINT event_followers_pkey PRIMARY KEY,
      types text[] NOT NULL,
      as_system boolean NOT NULL,
      position bigint NOT NULL,
      created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
    ) WITH (fillfactor = 50)`,
  ];
}

/**
 * A tenant for which a follower is behind: the events after `after_sequence`, up to `until_sequence`. One that is not
 * behind has no row. From `due_at` on an instance may claim it; a claim puts that off by its lease. There is no
 * foreign key to tenants, because another store may hold them. The nil UUID stands for the events of no tenant.
 */
function eventBacklogs(schema: string): string[] {
  return [
    `CREATE TABLE ${schema}.event_backlogs (
      follower text NOT NULL CONSTRAINT event_backlogs_follower_fkey
        REFERENCES ${schema}.event_followers (name) ON DELETE CASCADE,
      tenant_id uuid NOT NULL,
      after_sequence bigint NOT NULL,
      until_sequence bigint NOT NULL,
      since timestamptz(3) NOT NULL,
      due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      claim_id uuid,
      holder text,
      is_parked boolean NOT NULL DEFAULT false,
      attempts integer NOT NULL DEFAULT 0,
      error text,
      CONSTRAINT event_backlogs_pkey PRIMARY KEY (follower, tenant_id)
    ) WITH (fillfactor = 50)`,
    `CREATE INDEX event_backlogs_due_idx ON ${schema}.event_backlogs (follower, due_at)`,
    `CREATE INDEX event_backlogs_tenant_idx ON ${schema}.event_backlogs (tenant_id)`,
  ];
}
