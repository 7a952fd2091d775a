import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import Cursor from 'pg-cursor';
import type { Tenant } from '../../../lib';
import type { HammerCall, HammerOperation } from '../../../lib/testing';
import type { TestDatabase } from '../database';
import type { HammerInstance, HammerWorld } from './hammer-world';
import { insist } from './life-cycle';
import { INSERT, READ, READ_ALL } from './operation';
import { CREATE_SHOP, rowOf } from './shop';

type Ask = (client: PoolClient) => Promise<unknown>;
type Database = Pick<TestDatabase, 'query'>;

/** A write of what is to be refused. */
const LOST = 'lost';

/** What a tenant asks while its schema is away. */
const ASKS: Readonly<Record<string, Ask>> = {
  read: (client) => client.query(READ_ALL),
  'named read': (client) => client.query({ name: 'read', text: READ, values: [1] }),
  write: (client) => client.query(INSERT, [LOST]),
  'several statements': (client) => client.query(`SELECT 1; INSERT INTO entry (stamp) VALUES ('${LOST}')`),
  'a block of code': (client) =>
    client.query(`DO $$ BEGIN INSERT INTO entry (stamp) VALUES ('${LOST}'); END $$`),
  'a table that is made': (client) => client.query('CREATE TABLE made AS SELECT 1 AS id'),
  cursor: async (client) => {
    const cursor = client.query(new Cursor(READ_ALL));
    await cursor.read(1);
    await cursor.close();
  },
  copy: (client) =>
    pipeline(Readable.from([`${LOST}\n`]), client.query(copyFrom('COPY entry (stamp) FROM STDIN'))),
};

/**
 * Schemas that go away in the middle of the work, renamed or dropped, and come back: nothing that is asked meanwhile is
 * answered, and then all of it is, though sessions and prepared statements remember what was there before.
 */
export function missingSchemas(
  { instances, absentees }: HammerWorld,
  database: Database,
): Record<string, HammerOperation<Tenant>> {
  const free = [...absentees];
  return {
    schemaMissing: async (call) => {
      const tenant = free.pop();
      if (!tenant) return;
      const { vanish, comeBack } = call.random.next() < 0.5 ? renamed(tenant) : dropped(tenant);
      try {
        for (const instance of instances) await expectServed(call, instance, tenant);
        await vanishAfterBegin(call, tenant, () => database.query(vanish));
        await Promise.all(Object.entries(ASKS).map((ask) => expectRefused(call, tenant, ask)));
      } finally {
        await insist(() => database.query(comeBack));
        free.push(tenant);
      }
      for (const instance of instances) await expectServed(call, instance, tenant);
      const found = await database.query(`SELECT FROM "${tenant.schemaName}".entry WHERE stamp = '${LOST}'`);
      if (found.length > 0) call.wrong(`${found.length} writes were refused and kept`);
    },
  };

  /** The transaction of one is open by then. */
  async function vanishAfterBegin(
    call: HammerCall<Tenant>,
    tenant: Tenant,
    vanish: () => Promise<unknown>,
  ): Promise<void> {
    const [name, ask] = call.random.pick(Object.entries(ASKS));
    await borrow(call.random.pick(instances), tenant, async (client) => {
      await client.query('BEGIN');
      await vanish();
      await refuse(call, `${name} in a transaction that was open by then`, () => ask(client));
      await client.query('ROLLBACK');
    });
  }

  async function expectRefused(
    call: HammerCall<Tenant>,
    tenant: Tenant,
    [name, ask]: [string, Ask],
  ): Promise<void> {
    await borrow(call.random.pick(instances), tenant, async (client) => {
      await refuse(call, name, () => ask(client));
      await client.query('BEGIN');
      await refuse(call, `${name} in a transaction`, () => ask(client));
      await client.query('ROLLBACK');
    });
  }
}

/** Passes when `ask` is refused because the schema is missing, and fails by a fault's error. All else is wrong. */
async function refuse(call: HammerCall<Tenant>, name: string, ask: () => Promise<unknown>): Promise<void> {
  try {
    await ask();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'TENANT_SCHEMA_MISSING') return;
    // Of a statement that was run, and looked for the table.
    if (code === '42P01') call.wrong(`${name} was run though the schema is missing`);
    throw error;
  }
  call.wrong(`${name} was answered though the schema is missing`);
}

async function expectServed(
  call: HammerCall<Tenant>,
  instance: HammerInstance,
  tenant: Tenant,
): Promise<void> {
  await borrow(instance, tenant, async (client) => {
    for (const begin of [false, true]) {
      if (begin) await client.query('BEGIN');
      const { rows } = await client.query<{ owner: string }>({ name: 'read', text: READ, values: [1] });
      const owners = rows.map(({ owner }) => owner).join();
      if (owners !== tenant.slug) call.wrong(`"${tenant.slug}" read rows of "${owners}"`);
      await client.query(INSERT, [tenant.slug]);
    }
    await client.query('COMMIT');
  });
}

async function borrow(
  { context, pool }: HammerInstance,
  tenant: Tenant,
  work: (client: PoolClient) => Promise<unknown>,
): Promise<void> {
  await context.run(tenant, async () => {
    const client = await pool.connect();
    try {
      await work(client);
    } finally {
      client.release();
    }
  });
}

interface Absence {
  readonly vanish: string;
  /** May be sent again when its answer was lost. */
  readonly comeBack: string;
}

function renamed({ schemaName }: Tenant): Absence {
  const away = `${schemaName}_away`;
  return {
    vanish: `ALTER SCHEMA "${schemaName}" RENAME TO "${away}"`,
    comeBack: `DO $$ BEGIN ALTER SCHEMA "${away}" RENAME TO "${schemaName}"; EXCEPTION WHEN invalid_schema_name THEN NULL; END $$`,
  };
}

/** It comes back with other tables of the same names. */
function dropped({ schemaName, slug }: Tenant): Absence {
  return {
    vanish: `DROP SCHEMA "${schemaName}" CASCADE`,
    comeBack: `DROP SCHEMA IF EXISTS "${schemaName}" CASCADE; CREATE SCHEMA "${schemaName}";
      SET LOCAL search_path = "${schemaName}"; ${CREATE_SHOP}; ${rowOf(slug)}`,
  };
}
