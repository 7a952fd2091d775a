import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import Cursor from 'pg-cursor';
import type { Tenant } from '../../../lib';
import { type RolesApp, startRolesApp } from './app';

const INSERT = "INSERT INTO note (text) VALUES ('lost')";

type Ask = (client: PoolClient) => Promise<unknown>;

const ASKS: [string, Ask][] = [
  ['a read', (client) => client.query('SELECT text FROM note')],
  ['a write', (client) => client.query('INSERT INTO note (text) VALUES ($1)', ['lost'])],
  ['several statements', (client) => client.query(`SELECT 1; ${INSERT}`)],
  ['a table that is made', (client) => client.query('CREATE TABLE report AS SELECT 1 AS id')],
  ['a temporary table', (client) => client.query('CREATE TEMP TABLE report AS SELECT 1 AS id')],
  ['a block of code', (client) => client.query(`DO $$ BEGIN ${INSERT}; END $$`)],
  ['a cursor', (client) => client.query(new Cursor(`${INSERT} RETURNING id`)).read(10)],
  [
    'a COPY',
    (client) => pipeline(Readable.from(['lost\n']), client.query(copyFrom('COPY note (text) FROM STDIN'))),
  ],
];

const inTransaction =
  (ask: Ask): Ask =>
  async (client) => {
    await client.query('BEGIN');
    try {
      await ask(client);
    } finally {
      await client.query('ROLLBACK');
    }
  };

describe.each([
  ['a shared one', ['shared']],
  ['none', []],
])('with roles: true, a schema that is not there, with %s behind it', (_behind, sharedSchemas) => {
  let running: RolesApp;
  let acme: Tenant;
  let globex: Tenant;
  /** The schema under the name that it was given away by. */
  const away = () => `${acme.schemaName}_away`;

  beforeAll(async () => {
    running = await startRolesApp({ sharedSchemas });
    acme = await running.create({ slug: 'acme' });
    globex = await running.create({ slug: 'globex' });
    for (const tenant of [acme, globex])
      await running.as(tenant, 'INSERT INTO note (text) VALUES ($1)', [tenant.slug]);
    // Made after the start, which refuses names of the template; its rights are those of a careless hand.
    if (sharedSchemas.length > 0)
      await running.database.query(
        `CREATE TABLE shared.note (id serial, text varchar); GRANT ALL ON ALL TABLES IN SCHEMA shared TO PUBLIC;
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA shared TO PUBLIC; GRANT CREATE ON SCHEMA shared TO PUBLIC`,
      );
  });
  afterAll(() => running.close());

  const withClient = <T>(work: (client: PoolClient) => Promise<T>) => running.withClient(acme, work);

  describe.each(ASKS)('%s', (_kind, ask) => {
    it.each([
      ['by itself', ask],
      ['in a transaction', inTransaction(ask)],
    ])('is refused %s, and the connection stays good', async (_how, asked) => {
      await running.as(acme, 'SELECT text FROM note');
      await running.database.query(`ALTER SCHEMA ${acme.schemaName} RENAME TO ${away()}`);
      try {
        await withClient(async (client) => {
          for (let i = 0; i < 2; i++)
            await expect(asked(client)).rejects.toMatchObject({ code: 'TENANT_SCHEMA_MISSING' });
        });
        await expect(running.as(globex, 'SELECT text FROM note')).resolves.toEqual([{ text: 'globex' }]);
      } finally {
        await running.database.query(`ALTER SCHEMA ${away()} RENAME TO ${acme.schemaName}`);
      }
      await expect(running.as(acme, 'SELECT text FROM note')).resolves.toEqual([{ text: 'acme' }]);
    });
  });

  it('nothing was written into the shared one', async () => {
    if (sharedSchemas.length === 0) return;
    await expect(running.database.query('SELECT FROM shared.note')).resolves.toEqual([]);
    await expect(
      running.database.query("SELECT relname FROM pg_class WHERE relname = 'report'"),
    ).resolves.toEqual([]);
  });

  it('a schema that the tenant’s role may not use is as good as missing', async () => {
    await running.database.query(`REVOKE USAGE ON SCHEMA ${acme.schemaName} FROM ${acme.schemaName}`);
    try {
      await withClient(async (client) => {
        for (const [, ask] of ASKS)
          for (const asked of [ask, inTransaction(ask)])
            await expect(asked(client)).rejects.toMatchObject({ code: 'TENANT_SCHEMA_MISSING' });
      });
    } finally {
      await running.database.query(`GRANT USAGE ON SCHEMA ${acme.schemaName} TO ${acme.schemaName}`);
    }
  });

  it('is refused when its role is gone as well, as after a purge by hand', async () => {
    const gone = await running.create({ slug: 'gone' });
    await running.as(gone, 'SELECT text FROM note');
    await running.database.query(
      `DROP SCHEMA ${gone.schemaName} CASCADE; DROP OWNED BY ${gone.schemaName}; DROP ROLE ${gone.schemaName}`,
    );
    await expect(running.as(gone, 'SELECT text FROM note')).rejects.toMatchObject({
      code: 'TENANT_SCHEMA_MISSING',
    });
    // The role cannot be set, which comes before the look at the schema where a transaction is begun, or a text is sent.
    const told = { code: '22023', hint: expect.stringContaining('If its schema is missing as well') };
    for (const text of [
      'BEGIN; CREATE TABLE report AS SELECT 1 AS id; COMMIT',
      'SELECT 1; SELECT 2',
      'BEGIN',
    ])
      await expect(running.as(gone, text)).rejects.toMatchObject(told);
  });
});
