import { Client } from 'pg';
import type { Tenant } from '../lib/registry/tenant';
import type { DatabaseContents } from './bench-database';

export const TABLES_PER_TENANT = 10;

const SCHEMAS_PER_MESSAGE = 20;

/** Tenants with the tables of a small application, each with a primary key and one more index. */
export function memoryContents(fleet: readonly Tenant[]): DatabaseContents {
  return {
    name: 'memory',
    description: `${fleet.length} tenants of ${TABLES_PER_TENANT} tables`,
    build: (url) => build(url, fleet),
  };
}

/** One statement that meets all tables of a tenant, and gives its slug. */
export const VISIT = Array.from(
  { length: TABLES_PER_TENANT },
  (_, i) => `SELECT owner FROM table_${i} WHERE id = 1`,
).join(' UNION ALL ');

async function build(url: string, fleet: readonly Tenant[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('SET synchronous_commit = off');
    for (let start = 0; start < fleet.length; start += SCHEMAS_PER_MESSAGE)
      await client.query(
        fleet
          .slice(start, start + SCHEMAS_PER_MESSAGE)
          .map(schemaOf)
          .join('\n'),
      );
  } finally {
    await client.end();
  }
}

function schemaOf({ schemaName, slug }: Tenant): string {
  const tables = Array.from(
    { length: TABLES_PER_TENANT },
    (_, i) => `
      CREATE TABLE ${schemaName}.table_${i} (
        id int PRIMARY KEY, parent int NOT NULL, owner varchar(60) NOT NULL, name varchar(100), state varchar(20),
        amount numeric(12, 2) NOT NULL DEFAULT 0, created timestamptz NOT NULL DEFAULT now(), updated timestamptz);
      CREATE INDEX ON ${schemaName}.table_${i} (parent);`,
  );
  return `CREATE SCHEMA ${schemaName}; ${tables.join('')}
    INSERT INTO ${schemaName}.table_0 (id, parent, owner) VALUES (1, 1, '${slug}');`;
}
