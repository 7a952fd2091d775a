import type { MigrationInterface, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { registrySchema } from '../registry-schema';

/** Where each tenant lives, which servers there are, and which of them these tables are on. */
export class AddPlaces1763601200000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(`
      ALTER TABLE ${schema}.tenants
        ADD COLUMN server text NOT NULL DEFAULT 'default',
        ADD COLUMN isolation text NOT NULL DEFAULT 'schema'
          CONSTRAINT tenants_isolation_check CHECK (isolation IN ('schema', 'database'))`);
    // Most fleets have one server, and pay nothing for an index that holds none of theirs.
    await queryRunner.query(
      `CREATE INDEX tenants_server_idx ON ${schema}.tenants (server, id) WHERE server <> 'default'`,
    );
    await queryRunner.query(`ALTER TABLE ${schema}.purges ADD COLUMN server text NOT NULL DEFAULT 'default'`);
    await queryRunner.query(servers(schema));
    await queryRunner.query(`
      ALTER TABLE ${schema}.registry_identity
        ADD COLUMN server text NOT NULL DEFAULT 'default',
        ADD COLUMN server_id uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid()`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const schema = quoteIdentifier(registrySchema(queryRunner.dataSource));
    await queryRunner.query(
      `ALTER TABLE ${schema}.registry_identity DROP COLUMN server, DROP COLUMN server_id`,
    );
    await queryRunner.query(`DROP TABLE ${schema}.servers`);
    await queryRunner.query(`ALTER TABLE ${schema}.purges DROP COLUMN server`);
    await queryRunner.query(`ALTER TABLE ${schema}.tenants DROP COLUMN server, DROP COLUMN isolation`);
  }
}

/** In the registry: which server each name led to when it was first reached. */
function servers(schema: string): string {
  return `
    CREATE TABLE ${schema}.servers (
      name text NOT NULL CONSTRAINT servers_pkey PRIMARY KEY,
      server_id uuid NOT NULL CONSTRAINT servers_server_id_key UNIQUE,
      first_seen_at timestamptz(3) NOT NULL DEFAULT pg_catalog.clock_timestamp()
    )`;
}
