import { Client } from 'pg';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { DEFAULT_PLACE } from '../lib/placement/place';
import type { Tenant } from '../lib/registry/tenant';
import type { DatabaseContents } from './bench-database';

/** A row that says whose it is: the same keys are in every tenant. */
@Entity()
export class Note {
  @PrimaryColumn('int')
  id!: number;

  @Column('text')
  owner!: string;

  @Column('text')
  body!: string;
}

export const ROWS_PER_TENANT = 100;

const SCHEMAS_PER_MESSAGE = 50;

/** `count` tenants, each with a schema that has one table of `ROWS_PER_TENANT` rows. */
export function makeFleet(count: number): Tenant[] {
  const createdAt = new Date();
  return Array.from({ length: count }, (_, index) => {
    const number = String(index).padStart(12, '0');
    const slug = `tenant-${index}`;
    return {
      id: `00000000-0000-7000-8000-${number}`,
      slug,
      name: slug,
      schemaName: `t_bench${number}`,
      status: 'active',
      statusReason: null,
      deletedFrom: null,
      domains: [],
      metadata: {},
      templateVersion: null,
      schemaVersion: null,
      place: DEFAULT_PLACE,
      version: 1,
      createdAt,
      updatedAt: createdAt,
    };
  });
}

export function fleetContents(fleet: readonly Tenant[]): DatabaseContents {
  return {
    name: 'switch',
    description: `${fleet.length} tenants of 1 table of ${ROWS_PER_TENANT} rows`,
    build: (url) => build(url, fleet),
  };
}

async function build(url: string, fleet: readonly Tenant[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (let start = 0; start < fleet.length; start += SCHEMAS_PER_MESSAGE) {
      await client.query(
        fleet
          .slice(start, start + SCHEMAS_PER_MESSAGE)
          .map(schemaOf)
          .join('\n'),
      );
    }
    // Now, so that autovacuum does not come in the middle of a round.
    await client.query('VACUUM (ANALYZE)');
  } finally {
    await client.end();
  }
}

function schemaOf({ schemaName, slug }: Tenant): string {
  return `
    CREATE SCHEMA ${schemaName};
    CREATE TABLE ${schemaName}.note (id int PRIMARY KEY, owner text NOT NULL, body text NOT NULL);
    INSERT INTO ${schemaName}.note
      SELECT id, '${slug}', 'note ' || id || ' of ${slug}' FROM generate_series(1, ${ROWS_PER_TENANT}) AS id;`;
}
