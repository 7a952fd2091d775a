import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type PoolClient, Query } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import Cursor from 'pg-cursor';
import { TenantTransactions } from '../../../lib/connection/typeorm/tenant-transactions';
import { behindPooler } from '../../support/database';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

type Ask = (client: PoolClient) => Promise<unknown>;

const INSERT = 'INSERT INTO note (id) SELECT count(*) + 1 FROM note';
const INSERT_MORE = 'INSERT INTO note (id) SELECT count(*) + $1::int FROM note';
const LEVELS = ['READ UNCOMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] as const;

const copy: Ask = (client) =>
  pipeline(
    Readable.from([`${Math.floor(Math.random() * 1e9)}\tcopied\n`]),
    client.query(copyFrom('COPY note FROM STDIN')),
  );

const cursor: Ask = async (client) => {
  const open = client.query(new Cursor(`${INSERT} RETURNING id`));
  await open.read(10);
  await open.close();
};

const ownQuery: Ask = (client) =>
  new Promise((resolve, reject) => {
    client.query(new Query(INSERT, (error?: Error) => (error ? reject(error) : resolve(null))) as never);
  });

const named: Ask = (client) => client.query({ name: 'mine', text: INSERT_MORE, values: [1] });

/** Whatever comes of it, the next test finds the pool's one connection free. */
async function lend<T>(world: TwoTenants, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await world.pool.connect();
  try {
    return await work(client);
  } finally {
    client.release();
  }
}

/** What is to be sent; each writes into `note`, or makes a table. */
const STATEMENTS: [string, Ask][] = [
  ['a statement', (client) => client.query(INSERT)],
  ['a statement with parameters', (client) => client.query(INSERT_MORE, [1])],
  ['a named statement', named],
  ['several statements', (client) => client.query(`SELECT 1; ${INSERT}; SELECT 2`)],
  ['a table that is made', (client) => client.query('CREATE TABLE IF NOT EXISTS report AS SELECT 1 AS id')],
  ['a block of code', (client) => client.query(`DO $$ BEGIN ${INSERT}; END $$`)],
  ['a COPY', copy],
  ['a cursor', cursor],
  ['a query object', ownQuery],
];

/** The same where the transaction's level is chosen. */
const inTransaction =
  (begin: readonly string[], ask: Ask): Ask =>
  async (client) => {
    for (const text of begin) await client.query(text);
    try {
      await ask(client);
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    }
  };

const inText =
  (text: string): Ask =>
  (client) =>
    inTransaction([], () => client.query(text))(client);

const TRANSACTIONS: [string, Ask][] = [
  ...STATEMENTS.map(([kind, ask]): [string, Ask] => [
    `${kind}, in a transaction`,
    inTransaction(['BEGIN'], ask),
  ]),
  ...LEVELS.map((level): [string, Ask] => [
    `a transaction at ${level}`,
    inTransaction([`START TRANSACTION ISOLATION LEVEL ${level}`], STATEMENTS[0][1]),
  ]),
  ['a transaction in one text', inText(`BEGIN; SET LOCAL work_mem = 1000; ${INSERT}; COMMIT`)],
  [
    'a transaction that begins with what looks at nothing',
    inTransaction(
      [
        'BEGIN',
        'SHOW work_mem',
        '/* ; */ SET LOCAL work_mem = 1000',
        'SAVEPOINT a; SET LOCAL work_mem = 999',
      ],
      STATEMENTS[1][1],
    ),
  ],
  ['the transaction after another in a text', inText(`BEGIN; COMMIT; BEGIN; ${INSERT}; COMMIT`)],
  ['what comes behind AND CHAIN', inTransaction(['BEGIN', 'COMMIT AND CHAIN'], STATEMENTS[0][1])],
];

describe.each([
  ['a shared one', ['shared']],
  ['none', []],
])('A schema that is not there, with %s behind it', (_behind, sharedSchemas) => {
  let world: TwoTenants;
  const run = <T>(work: () => Promise<T>, tenant = world.acme) => world.context.run(tenant, work);
  const borrow = <T>(work: (client: PoolClient) => Promise<T>) => run(() => lend(world, work));

  beforeAll(async () => {
    world = await twoTenants(1, {}, { sharedSchemas });
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await world.database.query(
      `DROP SCHEMA IF EXISTS t_acme, t_gone, shared CASCADE;
       CREATE SCHEMA t_acme; CREATE TABLE t_acme.note (id int PRIMARY KEY, owner text NOT NULL DEFAULT 'acme');
       CREATE SCHEMA shared; CREATE TABLE shared.note (id int, owner text)`,
    );
    await world.reset();
  });

  const drop = () => world.database.query('DROP SCHEMA t_acme CASCADE');
  const rename = () => world.database.query('ALTER SCHEMA t_acme RENAME TO t_gone');

  async function expectNothingShared() {
    const found = await world.database.query(
      `SELECT (SELECT count(*)::int FROM shared.note) AS rows, array(SELECT relname::text FROM pg_class WHERE relnamespace = 'shared'::regnamespace) AS tables`,
    );
    expect(found).toEqual([{ rows: 0, tables: ['note'] }]);
  }

  describe.each([
    ['dropped', drop],
    ['renamed', rename],
  ])('because it was %s', (_how, vanish) => {
    it.each([...STATEMENTS, ...TRANSACTIONS])('refuses %s', async (_kind, ask) => {
      await borrow(async (client) => {
        // So that the session and its prepared statements know the schema.
        await ask(client);
        await vanish();
        await expect(ask(client)).rejects.toMatchObject({
          code: 'TENANT_SCHEMA_MISSING',
          statusCode: 503,
          cause: expect.objectContaining({ message: expect.stringContaining('schema "t_acme"') }),
        });
        await expect(ask(client)).rejects.toMatchObject({ code: 'TENANT_SCHEMA_MISSING' });
      });
      await expectNothingShared();
    });

    it.each([...STATEMENTS])(
      'refuses %s as the first of a transaction that was open by then',
      async (_kind, ask) => {
        await borrow(async (client) => {
          await ask(client);
          await client.query('BEGIN');
          await vanish();
          await expect(ask(client)).rejects.toMatchObject({ code: 'TENANT_SCHEMA_MISSING' });
          await client.query('ROLLBACK');
        });
        await expectNothingShared();
      },
    );

    // Behind a pooler names are not sent.
    if (!behindPooler)
      it('refuses a prepared statement that is asked for by its name', async () => {
        await borrow(async (client) => {
          await named(client);
          await client.query('BEGIN');
          await vanish();
          const byName = { name: 'mine', values: [2] } as never;
          await expect(client.query(byName)).rejects.toMatchObject({ code: 'TENANT_SCHEMA_MISSING' });
          await client.query('ROLLBACK');
        });
        await expectNothingShared();
      });

    it('refuses what a shared transaction does, and TypeORM’s own', async () => {
      await vanish();
      const { dataSource, context } = world;
      const shared = new TenantTransactions(dataSource, context);
      await expect(run(() => shared.run(() => dataSource.query(INSERT)))).rejects.toMatchObject({
        driverError: { code: 'TENANT_SCHEMA_MISSING' },
      });
      for (const level of LEVELS) {
        const work = () => dataSource.transaction(level, (manager) => manager.query(INSERT_MORE, [1]));
        await expect(run(work)).rejects.toMatchObject({ driverError: { code: 'TENANT_SCHEMA_MISSING' } });
      }
      await expectNothingShared();
    });
  });

  it('is refused likewise when the role of the session may not use it', async () => {
    await world.database.query(
      'GRANT USAGE ON SCHEMA shared TO pg_monitor; GRANT ALL ON shared.note TO pg_monitor',
    );
    for (const ask of [INSERT, `SELECT 1; ${INSERT}`, 'CREATE TEMP TABLE report AS SELECT 1 AS id'])
      await borrow(async (client) => {
        await client.query('BEGIN');
        await client.query('SET LOCAL ROLE pg_monitor');
        await expect(client.query(ask)).rejects.toMatchObject({
          code: 'TENANT_SCHEMA_MISSING',
          cause: expect.objectContaining({ message: expect.stringContaining('pg_monitor may not use it') }),
        });
        await client.query('ROLLBACK');
      });
    await expectNothingShared();
  });

  it('is asked for again behind a savepoint', async () => {
    await drop();
    await borrow(async (client) => {
      await client.query('BEGIN');
      await client.query('SAVEPOINT a');
      for (let i = 0; i < 2; i++) {
        await expect(client.query(INSERT)).rejects.toMatchObject({ code: 'TENANT_SCHEMA_MISSING' });
        await expect(client.query(INSERT)).rejects.toMatchObject({ code: '25P02' });
        await client.query('ROLLBACK TO SAVEPOINT a');
      }
      await client.query('COMMIT');
    });
    await expectNothingShared();
  });

  it('costs no connection, and nobody else anything', async () => {
    await world.query(world.acme, INSERT);
    const destroyed = { ...world.pool.destroyedByCause };
    await drop();
    const refused = expect.objectContaining({
      driverError: expect.objectContaining({ code: 'TENANT_SCHEMA_MISSING' }),
    });
    for (let i = 0; i < 3; i++) await expect(world.query(world.acme, INSERT)).rejects.toEqual(refused);
    await borrow(async (client) => {
      await expect(copy(client)).rejects.toMatchObject({ code: 'TENANT_SCHEMA_MISSING' });
      await expect(cursor(client)).rejects.toMatchObject({ code: 'TENANT_SCHEMA_MISSING' });
    });
    expect(world.pool.destroyedByCause).toEqual(destroyed);
    await world.query(world.globex, 'SELECT 1');
    world.wire.reset();
    await expect(world.query(world.globex, 'SELECT owner FROM note')).resolves.toEqual([{ owner: 'globex' }]);
    expect(world.wire.roundTrips).toBe(1);
    await expect(
      world.context.runAsSystem(() => world.dataSource.query('SELECT count(*)::int AS n FROM shared.note')),
    ).resolves.toEqual([{ n: 0 }]);
  });

  it('is told apart from an error of the statement’s own', async () => {
    for (const ask of ['CREATE TABLE nowhere.x (id int)', 'SELECT 1; CREATE TABLE nowhere.x (id int)']) {
      await borrow(async (client) => {
        await expect(client.query(ask)).rejects.toMatchObject({ code: '3F000' });
        await client.query('BEGIN');
        await expect(client.query(ask)).rejects.toMatchObject({ code: '3F000' });
        await client.query('ROLLBACK');
      });
    }
  });

  it('is refused to long jobs, too', async () => {
    await drop();
    for (const sql of ['CREATE TABLE report AS SELECT 1 AS id', `SELECT 1; ${INSERT}`])
      await expect(
        world.context.runUnlimited(world.acme, () => world.dataSource.query(sql)),
      ).rejects.toMatchObject({ driverError: { code: 'TENANT_SCHEMA_MISSING' } });
    await expectNothingShared();
  });

  it('may be what work on the tenant makes', async () => {
    await drop();
    await world.context.runUnborn(world.acme, () =>
      world.dataSource.transaction(async (manager) => {
        await manager.query('SELECT 1');
        await manager.query('CREATE SCHEMA t_acme');
        await manager.query('CREATE TABLE note (id int)');
      }),
    );
    await expect(world.query(world.acme, 'SELECT * FROM note')).resolves.toEqual([]);
  });
});

describe('The look whether the schema is there', () => {
  let world: TwoTenants;

  beforeAll(async () => {
    world = await twoTenants(1, {}, { sharedSchemas: ['shared'] });
    await world.database.query('CREATE SCHEMA shared');
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  const borrow = <T>(work: (client: PoolClient) => Promise<T>) =>
    world.context.run(world.acme, () => lend(world, work));
  const count = {
    text: 'SELECT count(*)::int AS n, current_setting($1) AS level FROM note',
    values: ['transaction_isolation'],
  };

  it.each([
    ...LEVELS.map((level) => [`BEGIN ISOLATION LEVEL ${level}`]),
    ...LEVELS.map((level) => ['BEGIN', `SET TRANSACTION ISOLATION LEVEL ${level}`]),
    ['BEGIN', 'SHOW work_mem', 'SET LOCAL work_mem = 1000; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE'],
    ['BEGIN ISOLATION LEVEL REPEATABLE READ', 'LOCK TABLE note IN SHARE UPDATE EXCLUSIVE MODE'],
    ['BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE'],
  ])('takes no snapshot before the first statement does: %s %s', async (...begin: (string | undefined)[]) => {
    await borrow(async (client) => {
      for (const text of begin) if (text) await client.query(text);
      await world.database.query('INSERT INTO t_acme.note (id) VALUES (2)');
      const level =
        /READ UNCOMMITTED|READ COMMITTED|REPEATABLE READ|SERIALIZABLE/.exec(begin.join())?.[0] ?? '';
      await expect(client.query(count)).resolves.toMatchObject({
        rows: [{ n: 2, level: level.toLowerCase() }],
      });
      await client.query('COMMIT');
    });
  });

  it('lets a text of several choose its level', async () => {
    const results = await borrow((client) =>
      client.query(
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT current_setting('transaction_isolation') AS level",
      ),
    );
    expect([results].flat().at(-1)).toMatchObject({ rows: [{ level: 'serializable' }] });
  });

  it('takes no round trip, and is taken once for a transaction', async () => {
    await world.query(world.acme, 'SELECT 1');
    world.wire.reset();
    await borrow(async (client) => {
      await client.query('BEGIN');
      await client.query('SELECT 1');
      await client.query('SELECT $1::int', [2]);
      await client.query('SELECT 3; SELECT 4');
      await client.query('COMMIT');
    });
    expect(world.wire.messages.join('')).toBe('QPBEPBDESPBDESQQ');
  });

  it('gives each statement its own results', async () => {
    await borrow(async (client) => {
      for (const begin of ['', 'BEGIN', 'SAVEPOINT a']) {
        if (begin) await client.query(begin);
        const results = (await client.query(
          "SELECT owner FROM note; UPDATE note SET owner = 'acme'",
        )) as unknown;
        expect(results).toMatchObject([{ rows: [{ owner: 'acme' }] }, { command: 'UPDATE', rowCount: 1 }]);
      }
      await client.query('COMMIT');
    });
  });

  it('quotes the name', async () => {
    const tenant = { ...world.acme, id: 'quoted', schemaName: `it's "mine", 1` };
    await world.database.query(
      `CREATE SCHEMA "it's ""mine"", 1"; CREATE TABLE "it's ""mine"", 1".note (id int)`,
    );
    for (const ask of [
      'SELECT * FROM note',
      'SELECT 1; SELECT * FROM note',
      'BEGIN; SELECT * FROM note; COMMIT',
    ])
      await world.query(tenant, ask);
  });
});
