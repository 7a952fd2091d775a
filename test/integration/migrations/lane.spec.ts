import type { QueryRunner } from 'typeorm';
import { WithdrawnError } from '../../../lib/migrations/lane-ending';
import { type LaneWork, MigrationLane } from '../../../lib/migrations/migration-lane';
import { PreparedClaims } from '../../../lib/migrations/prepared-claims';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

/** Of every tenant, so that the lane knows that PostgreSQL can read it. */
const FIRST = `INSERT INTO note (id, owner) VALUES (2, pg_backend_pid()) RETURNING owner`;

const INSERTS = (queryRunner: QueryRunner) => queryRunner.query(FIRST) as Promise<void>;

const reversed = (text: string) => [...text].reverse().join('');

/** Up to the row that is computed before it. */
const claimBy = (text: string): LaneWork['claim'] => ({
  form: { types: [], isPrepared: false, sql: (_values, before) => `${text} ${before}` },
  values: [],
});

describe('Migrations of tenants one after the other', () => {
  let world: TwoTenants;
  let lane: MigrationLane;

  beforeAll(async () => {
    world = await twoTenants(1);
    await world.database.query('CREATE TABLE public.claim (slug text PRIMARY KEY)');
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await world.reset();
    await world.database.query('TRUNCATE public.claim');
    lane = new MigrationLane(world.dataSource, world.context, new PreparedClaims());
  });

  /** Resolves with the end, once all but that is done. */
  const begin = async (slug: 'acme' | 'globex', work: Partial<LaneWork> = {}): Promise<Promise<void>[]> => {
    const tenant = world[slug];
    let ended!: Promise<void>;
    const held = new Promise<void>((resolve) => {
      ended = world.context.runUnborn(tenant, () =>
        lane.run({
          tenant,
          settings: { lock_timeout: '5000' },
          claim: claimBy(`INSERT INTO public.claim SELECT '${slug}' FROM`),
          run: INSERTS,
          onHeld: resolve,
          ...work,
        }),
      );
      ended.catch(() => resolve());
    });
    await held;
    // In a list, so that nobody waits for it here.
    return [ended];
  };
  const notes = async (slug: 'acme' | 'globex') =>
    (await world.query<{ id: number }[]>(world[slug], 'SELECT id FROM note ORDER BY id')).map(({ id }) => id);
  const claims = async () => {
    const rows = await world.database.query<{ slug: string }>('SELECT slug FROM public.claim ORDER BY slug');
    return rows.map(({ slug }) => slug);
  };
  /** PostgreSQL reads the statement for the first time. */
  const makeKnown = async () => {
    const [ended] = await begin('acme', { claim: claimBy('SELECT FROM') });
    await ended;
    await world.reset();
  };

  it('cost one message for each, with the end of one and the beginning of the next in it', async () => {
    await makeKnown();
    const before = world.wire.roundTrips;
    const [acme] = await begin('acme');
    const [globex] = await begin('globex');
    await acme;
    await globex;
    expect(world.wire.roundTrips - before).toBe(3);
    await expect(notes('acme')).resolves.toEqual([1, 2]);
    await expect(notes('globex')).resolves.toEqual([1, 2]);
    await expect(claims()).resolves.toEqual(['acme', 'globex']);
  });

  it('end by themselves when nothing comes to travel with', async () => {
    const [acme] = await begin('acme');
    await acme;
    await expect(notes('acme')).resolves.toEqual([1, 2]);
  });

  it.each([
    ['that could travel with it', INSERTS],
    [
      'that could not',
      (queryRunner: QueryRunner) => queryRunner.query('SELECT $1::int', [1]) as Promise<void>,
    ],
  ])('run nothing of a next %s when the end of one fails', async (_which, run) => {
    await makeKnown();
    const [acme] = await begin('acme', { last: 'SELECT 1/0' });
    const [globex] = await begin('globex', { run });
    await expect(acme).rejects.toThrow('division by zero');
    await expect(globex).rejects.toThrow(WithdrawnError);
    await expect(notes('acme')).resolves.toEqual([1]);
    await expect(notes('globex')).resolves.toEqual([1]);
    await expect(claims()).resolves.toEqual([]);
  });

  it('keep one whose next may not begin, and run nothing of that', async () => {
    await makeKnown();
    const [acme] = await begin('acme');
    let isTold = false;
    const [globex] = await begin('globex', {
      claim: claimBy('SELECT ln(0) FROM'),
      run: async (queryRunner) => {
        await INSERTS(queryRunner).catch(() => (isTold = true));
        await queryRunner.query('SELECT 1').catch(() => undefined);
      },
    });
    await acme;
    await expect(globex).rejects.toThrow('logarithm of zero');
    expect(isTold).toBe(true);
    await expect(notes('acme')).resolves.toEqual([1, 2]);
    await expect(notes('globex')).resolves.toEqual([1]);
  });

  it('keep one whose next fails at its first statement, which is told as if it had been sent alone', async () => {
    await makeKnown();
    await world.query(world.globex, 'INSERT INTO note (id) VALUES (2)');
    const [acme] = await begin('acme');
    const [globex] = await begin('globex');
    await acme;
    await expect(globex).rejects.toMatchObject({ query: FIRST, driverError: { code: '23505' } });
    await expect(notes('acme')).resolves.toEqual([1, 2]);
    await expect(claims()).resolves.toEqual(['acme']);
  });

  it.each([
    ['cannot read', 'ALTER TABLE note ADD COLUM x text', '42601'],
    ['does not find', 'SELECT nothing FROM note', '42703'],
  ])('tell of a statement that PostgreSQL %s where in it that is', async (_what, text, code) => {
    await makeKnown();
    const [acme] = await begin('acme');
    const run = (queryRunner: QueryRunner) => queryRunner.query(text) as Promise<void>;
    const [globex] = await begin('globex', { run });
    await acme;
    const alone = await world.query(world.globex, text).catch((error: unknown) => error);
    const { position } = (alone as { driverError: { position: string } }).driverError;
    await expect(globex).rejects.toMatchObject({ query: text, driverError: { code, position } });
    await expect(claims()).resolves.toEqual(['acme']);
  });

  it.each([
    ['changes the path in its first statement', `SELECT set_config('search_path', 'public', true)`],
    ['ends its transaction, and begins another', 'COMMIT; BEGIN'],
  ])('refuse one that %s', async (_what, text) => {
    const run = (queryRunner: QueryRunner) => queryRunner.query(text) as Promise<void>;
    const [ended] = await begin('acme', { run });
    await expect(ended).rejects.toThrow('not the place of the migration');
  });

  it('find nothing that one before has said of its transaction', async () => {
    await makeKnown();
    const run = async (queryRunner: QueryRunner) => {
      await INSERTS(queryRunner);
      await queryRunner.query('SET TRANSACTION READ ONLY');
    };
    const [acme] = await begin('acme', { run });
    const [globex] = await begin('globex');
    await acme;
    await globex;
    await expect(notes('globex')).resolves.toEqual([1, 2]);
    await expect(claims()).resolves.toEqual(['acme', 'globex']);
  });

  it('find nothing that one before has left in the session', async () => {
    await makeKnown();
    const run = async (queryRunner: QueryRunner) => {
      await INSERTS(queryRunner);
      await queryRunner.query(`DO $$ BEGIN EXECUTE 'CREATE TE' || 'MP TABLE left_over ()'; END $$`);
    };
    const [acme] = await begin('acme', { run });
    let found: unknown;
    const look = async (queryRunner: QueryRunner) => {
      await INSERTS(queryRunner);
      [{ found }] = (await queryRunner.query(`SELECT to_regclass('left_over') AS found`)) as [
        { found: unknown },
      ];
    };
    const [globex] = await begin('globex', { run: look });
    await acme;
    await globex;
    expect(found).toBeNull();
    await expect(notes('globex')).resolves.toEqual([1, 2]);
  });

  it('let those who wait for a connection have it in between', async () => {
    await makeKnown();
    let waiting!: Promise<unknown>;
    const run = async (queryRunner: QueryRunner) => {
      await INSERTS(queryRunner);
      waiting = world.context.run(world.globex, () =>
        world.dataSource.query('SELECT count(*)::int FROM note'),
      );
    };
    const [acme] = await begin('acme', { run });
    const [globex] = await begin('globex');
    await expect(waiting).resolves.toEqual([{ count: 1 }]);
    await acme;
    await globex;
    await expect(notes('globex')).resolves.toEqual([1, 2]);
  });

  it('keep one whose next loses the connection at its first statement', async () => {
    const text = `SELECT CASE current_schema() WHEN '${world.globex.schemaName}' THEN pg_terminate_backend(pg_backend_pid()) END`;
    const run = (queryRunner: QueryRunner) => queryRunner.query(text) as Promise<void>;
    const [known] = await begin('acme', { claim: claimBy('SELECT FROM'), run });
    await known;
    await makeKnown();
    const [acme] = await begin('acme');
    const [globex] = await begin('globex', { run });
    await acme;
    await expect(globex).rejects.toMatchObject({ query: text, driverError: { code: '57P01' } });
    await expect(claims()).resolves.toEqual(['acme']);
  });

  it('tell of one whose end was not answered that it may be kept, and run nothing of the next', async () => {
    await makeKnown();
    const [acme] = await begin('acme', { last: 'SELECT pg_terminate_backend(pg_backend_pid())' });
    const [globex] = await begin('globex');
    await expect(acme).rejects.toMatchObject({ code: 'COMMIT_OUTCOME_UNKNOWN' });
    await expect(globex).rejects.toThrow(WithdrawnError);
    await expect(claims()).resolves.toEqual([]);
  });

  it('begin when a subscriber asks for something before the first statement', async () => {
    const { subscribers } = world.dataSource;
    const asked: string[] = [];
    subscribers.push({
      beforeQuery: async ({ query, queryRunner }) => {
        if (query === FIRST) asked.push(...(await queryRunner.query(`SELECT 'asked' AS it`)));
      },
    });
    try {
      const [ended] = await begin('acme');
      await ended;
    } finally {
      subscribers.pop();
    }
    expect(asked).toEqual([{ it: 'asked' }]);
    await expect(notes('acme')).resolves.toEqual([1, 2]);
  });

  it('begin with whatever a migration asks for first', async () => {
    const asked: unknown[] = [];
    const works: ((queryRunner: QueryRunner) => Promise<unknown>)[] = [
      (queryRunner) => queryRunner.query('SELECT $1::int AS given', [1]),
      (queryRunner) => queryRunner.query('SELECT 2 AS given; SELECT 3 AS given'),
      (queryRunner) => queryRunner.manager.transaction((manager) => manager.query('SELECT 4 AS given')),
      (queryRunner) =>
        Promise.all([queryRunner.query('SELECT 5 AS given'), queryRunner.query('SELECT 6 AS given')]),
      async (queryRunner) => {
        const client = (await queryRunner.connect()) as { query(text: string): Promise<{ rows: unknown }> };
        return (await client.query('SELECT 7 AS given')).rows;
      },
      (queryRunner) => queryRunner.query(''),
      (queryRunner) => queryRunner.hasTable('note'),
      () => Promise.resolve('nothing'),
    ];
    for (const work of works) {
      await world.database.query('TRUNCATE public.claim');
      const run = async (queryRunner: QueryRunner) => void asked.push(await work(queryRunner));
      const [ended] = await begin('acme', { run });
      await ended;
      await expect(claims()).resolves.toEqual(['acme']);
    }
    expect(asked).toMatchObject([
      [{ given: 1 }],
      undefined,
      [{ given: 4 }],
      [[{ given: 5 }], [{ given: 6 }]],
      [{ given: 7 }],
      [],
      expect.any(Boolean),
      'nothing',
    ]);
  });

  const remembered = (slug: string): LaneWork['claim'] => ({
    form: {
      types: ['text'],
      isPrepared: true,
      sql: ([value], before) => `INSERT INTO public.claim SELECT ${value} FROM ${before}`,
    },
    values: [slug],
  });
  const PREPARED = `SELECT count(*)::int FROM pg_prepared_statements WHERE name LIKE 'nestjs-tenancy-claim-%'`;

  it('run nothing that somebody has put in the place of a claim while the connection worked for others', async () => {
    await world.close();
    world = await twoTenants(1);
    await world.database.query('CREATE TABLE public.claim (slug text PRIMARY KEY)');
    world.pool.hasOwnSessions = true;
    lane = new MigrationLane(world.dataSource, world.context, new PreparedClaims());
    const run = (queryRunner: QueryRunner) => queryRunner.query('SELECT 1 AS one') as Promise<void>;
    const visit = async (...slugs: string[]) => {
      const ends: Promise<void>[] = [];
      for (const slug of slugs) ends.push(...(await begin('acme', { claim: remembered(slug), run })));
      await Promise.all(ends);
    };
    await visit('a', 'b', 'c');
    const steal = `DO $$ DECLARE each text; BEGIN
      FOR each IN SELECT name FROM pg_prepared_statements LOOP
        EXECUTE format(reverse('${reversed('DEALLOCATE %I')}'), each);
        EXECUTE format(reverse('${reversed('PREPARE %I (text, text, text) AS SELECT 1')}'), each);
      END LOOP; END $$`;
    await world.query(world.acme, steal);
    await visit('d', 'e', 'f');
    await expect(claims()).resolves.toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  it('refuse one that changes the path where PostgreSQL tells of it by itself', async () => {
    world.pool.hasOwnSessions = true;
    const run = (queryRunner: QueryRunner) =>
      queryRunner.query(`SELECT set_config('search_path', 'public', true)`) as Promise<void>;
    await makeKnown();
    const [alone] = await begin('acme', { run });
    await expect(alone).rejects.toThrow('not the place of the migration');
    const [acme] = await begin('acme');
    const [globex] = await begin('globex', { run });
    await acme;
    await expect(globex).rejects.toThrow('not the place of the migration');
    await expect(claims()).resolves.toEqual(['acme']);
  });

  it.each([
    ['remember the statement that claims', undefined, 1],
    ['go on in a session that has forgotten it', 'DEALLOCATE ALL', 0],
    ['go on in a session that has another of its name', 'PREPARE "nestjs-tenancy-claim-2-2" AS SELECT 1', 0],
  ])('%s', async (_what, statement, count) => {
    await world.close();
    world = await twoTenants(1);
    await world.database.query('CREATE TABLE public.claim (slug text PRIMARY KEY)');
    // With the tap in between, nobody could tell.
    world.pool.hasOwnSessions = true;
    lane = new MigrationLane(world.dataSource, world.context, new PreparedClaims());
    const asks = (queryRunner: QueryRunner) => queryRunner.query('SELECT 1 AS one') as Promise<void>;
    let counted: unknown;
    const counts = async (queryRunner: QueryRunner) => {
      await asks(queryRunner);
      counted = await queryRunner.query(PREPARED);
    };
    const then = async (queryRunner: QueryRunner) => {
      await asks(queryRunner);
      // Where the text does not show it: otherwise the session is not passed on.
      if (statement) await queryRunner.query(`DO $$ BEGIN EXECUTE reverse('${reversed(statement)}'); END $$`);
    };
    const [known] = await begin('acme', { claim: claimBy('SELECT FROM'), run: asks });
    await known;
    const before = world.wire.roundTrips;
    const runs = statement?.startsWith('PREPARE') ? [then, asks, counts] : [asks, then, counts];
    const ends: Promise<void>[] = [];
    for (const [i, run] of runs.entries())
      ends.push(...(await begin('acme', { claim: remembered(`claim ${i}`), run })));
    await Promise.all(ends);
    await expect(claims()).resolves.toEqual(['claim 0', 'claim 1', 'claim 2']);
    if (!statement) expect(world.wire.roundTrips - before).toBe(5);
    expect(counted).toEqual([{ count }]);
    // Nothing of it is left to whoever has the session next.
    await expect(world.query(world.globex, PREPARED)).resolves.toEqual([{ count: 0 }]);
  });
});
