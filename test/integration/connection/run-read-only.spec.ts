import { runReadOnly } from '../../../lib/connection/protocol/run-read-only';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

describe('A text that may only read', () => {
  let world: TwoTenants;

  beforeAll(async () => {
    world = await twoTenants(1, { connectTimeoutMS: 2_000 });
    const { schemaName } = world.acme;
    await world.database.query(
      `CREATE PROCEDURE ${schemaName}.sneak() LANGUAGE plpgsql AS
       'BEGIN COMMIT; INSERT INTO ${schemaName}.note (id) VALUES (9); END'`,
    );
    await world.database.query(`CREATE SEQUENCE ${schemaName}.numbers`);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  const read = (sql: string) =>
    world.context.run(world.acme, () => runReadOnly<{ id: number }>(world.dataSource, sql));
  const ids = async () => {
    const rows = await world.query<{ id: number }[]>(world.acme, 'SELECT id FROM note ORDER BY id');
    return rows.map(({ id }) => id);
  };

  it('gives the rows of each of its statements', async () => {
    const results = await read("SELECT owner FROM note; -- and\n SELECT ';' AS semicolon;");
    expect(results.map(({ rows }) => rows)).toEqual([[{ owner: 'acme' }], [{ semicolon: ';' }]]);
  });

  const INSERT = 'INSERT INTO note (id) VALUES (2)';
  it.each([
    INSERT,
    `COMMIT; ${INSERT}`,
    `ROLLBACK; BEGIN; ${INSERT}; COMMIT`,
    `COMMIT AND CHAIN; SET TRANSACTION READ WRITE; ${INSERT}; COMMIT`,
    `SELECT 'begin atomic'; COMMIT; ${INSERT}`,
    `SELECT E'a'\n '\\''; COMMIT; ${INSERT} --'`,
    `SET TRANSACTION READ WRITE; ${INSERT}`,
    `SET transaction_read_only = off; ${INSERT}`,
    `RESET transaction_read_only; ${INSERT}`,
    `SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; ${INSERT}`,
    `SET default_transaction_read_only = off; ${INSERT}`,
    `SELECT set_config('transaction_read_only', 'off', false); ${INSERT}`,
    `SAVEPOINT a; SET TRANSACTION READ WRITE; ${INSERT}`,
    `SAVEPOINT a; ROLLBACK TO a; ${INSERT}`,
    `DO $$ BEGIN COMMIT; ${INSERT}; END $$`,
    `DO $$ BEGIN SET TRANSACTION READ WRITE; ${INSERT}; END $$`,
    'CALL sneak()',
    `PREPARE p AS ${INSERT}; EXECUTE p`,
    `EXPLAIN ANALYZE ${INSERT}`,
    "SELECT nextval('numbers')",
    `SELECT 'x; COMMIT; ${INSERT}`,
  ])('cannot write: %s', async (sql) => {
    await expect(read(sql)).rejects.toThrow();
    await expect(ids()).resolves.toEqual([1]);
  });

  it('leaves the session as it was', async () => {
    await read("SET work_mem = '123kB'; CREATE TEMPORARY TABLE left_over ()").catch(() => undefined);
    await expect(world.query(world.acme, "SELECT current_setting('work_mem') AS it")).resolves.toEqual([
      { it: '4MB' },
    ]);
    await expect(world.query(world.acme, INSERT)).resolves.toEqual([]);
  });
});
