import { setImmediate as nextTurn } from 'node:timers/promises';
import { ConflictException, Controller, Get, Injectable, Param } from '@nestjs/common';
import { InjectDataSource, InjectRepository } from '@nestjs/typeorm';
import { defer } from 'rxjs';
import { DataSource, Repository } from 'typeorm';
import {
  CurrentTenant,
  InjectTenantRepository,
  TENANT_DATA_SOURCE,
  TenancyModule,
  type TenancyOptions,
  type Tenant,
  TenantConnection,
  TenantFree,
  TenantTransaction,
  TenantTransactions,
} from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { CreateNotes1700000000000, Note, NotesOnce1700000000001, notesOptions } from '../support/notes';
import { ADAPTERS } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';
import { tapWire, type WireTap } from '../support/wire-tap';

/** Where a handler waits in the middle of its work until the test lets it go on. */
class Gate {
  readonly reached: Promise<void>;
  #tellReached!: () => void;
  readonly #opened: Promise<void>;
  open!: () => void;

  constructor() {
    this.reached = new Promise((resolve) => (this.#tellReached = resolve));
    this.#opened = new Promise((resolve) => (this.open = resolve));
  }

  pass(): Promise<void> {
    this.#tellReached();
    return this.#opened;
  }
}

const gates = new Map<string, Gate>();

/** All the ways to a tenant's rows that an application has. */
@Injectable()
class Notes {
  constructor(
    private readonly connection: TenantConnection,
    @InjectTenantRepository(Note) readonly repository: Repository<Note>,
    @InjectRepository(Note, TENANT_DATA_SOURCE) private readonly plain: Repository<Note>,
    @InjectDataSource(TENANT_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  get #ways(): Record<string, Repository<Note>> {
    return {
      connection: this.connection.getRepository(Note),
      injected: this.repository,
      plain: this.plain,
      manager: this.dataSource.manager.getRepository(Note),
    };
  }

  /** One note in each way, then what each sees, and the transactions they are in. */
  async writeInEveryWay() {
    const ways = Object.entries(this.#ways);
    for (const [name, repository] of ways) await repository.insert({ text: name });
    await this.connection.transaction((manager) => manager.insert(Note, { text: 'transaction' }));
    const seen: string[][] = [];
    const transactions = new Set<string>();
    for (const [, repository] of ways) {
      seen.push(await this.texts(repository));
      const [{ id }] = await repository.query('SELECT pg_current_xact_id()::text AS id');
      transactions.add(id);
    }
    return { seen, transactions: transactions.size };
  }

  async texts(repository = this.repository): Promise<string[]> {
    return (await repository.find({ order: { id: 'ASC' } })).map(({ text }) => text);
  }

  async level(): Promise<string> {
    const [{ level }] = await this.repository.query(
      `SELECT current_setting('transaction_isolation') AS level`,
    );
    return level;
  }
}

@Controller()
class PlainController {
  constructor(
    private readonly notes: Notes,
    private readonly transactions: TenantTransactions,
  ) {}

  @Get('texts')
  texts() {
    return this.notes.texts();
  }

  @Get('run/kept')
  run() {
    return this.transactions.run(() => this.notes.writeInEveryWay());
  }

  @Get('run/level')
  async level() {
    const level = await this.transactions.run(() => this.notes.level(), { isolation: 'SERIALIZABLE' });
    return { level };
  }

  /** Only what is run in it belongs to it. */
  @Get('run/then-fail')
  async runThenFail() {
    await this.transactions
      .run(async () => {
        await this.notes.repository.insert({ text: 'inside' });
        throw new Error('inside');
      })
      .catch(() => undefined);
    await this.notes.repository.insert({ text: 'after' });
    throw new ConflictException();
  }

  @Get('run/nobody')
  @TenantFree()
  nobody() {
    return this.transactions.run(() => this.notes.texts());
  }
}

@Controller('method')
class MethodController {
  constructor(
    private readonly notes: Notes,
    private readonly transactions: TenantTransactions,
  ) {}

  @Get('kept')
  @TenantTransaction()
  kept() {
    return this.notes.writeInEveryWay();
  }

  @Get('observable')
  @TenantTransaction()
  observable() {
    return defer(() => this.notes.writeInEveryWay());
  }

  @Get('nothing')
  @TenantTransaction()
  async nothing() {
    await this.notes.repository.insert({ text: 'one' });
  }

  @Get('conflict')
  @TenantTransaction()
  async conflict() {
    await this.notes.writeInEveryWay();
    throw new ConflictException('Come back later.');
  }

  @Get('error')
  @TenantTransaction()
  async error() {
    await this.notes.writeInEveryWay();
    throw new Error('not for the client');
  }

  @Get('failed-observable')
  @TenantTransaction()
  failedObservable() {
    return defer(() => this.conflict());
  }

  @Get('inner-run')
  @TenantTransaction()
  async innerRun() {
    await this.transactions.run(() => this.notes.repository.insert({ text: 'inner' }));
    throw new ConflictException();
  }

  @Get('refused-at-commit')
  @TenantTransaction()
  async refusedAtCommit() {
    await this.notes.repository.insert([{ text: 'twice' }, { text: 'twice' }]);
    return ['done'];
  }

  @Get('swallowed-failure')
  @TenantTransaction()
  async swallowedFailure() {
    await this.notes.repository.insert({ text: 'one' });
    await this.notes.repository.query('SELECT 1/0').catch(() => undefined);
    return ['done'];
  }

  @Get('swallowed-rollback')
  @TenantTransaction()
  async swallowedRollback() {
    await this.notes.repository.insert({ text: 'one' });
    await this.notes.repository.manager
      .transaction(() => Promise.reject(new Error('part')))
      .catch(() => undefined);
    return ['done'];
  }

  @Get('nobody')
  @TenantFree()
  @TenantTransaction()
  nobody() {
    return ['done'];
  }

  @Get('slowly')
  @TenantTransaction()
  async slowly(@CurrentTenant() { slug }: Tenant) {
    const { length } = await this.notes.texts();
    await nextTurn();
    await this.notes.repository.insert({ text: `${slug} ${length}` });
    await nextTurn();
    return this.notes.texts();
  }

  @Get('held')
  @TenantTransaction()
  async held(@CurrentTenant() { slug }: Tenant) {
    await this.notes.repository.insert({ text: slug });
    await gates.get(slug)?.pass();
    return this.notes.texts();
  }

  @Get('item/:id')
  @TenantTransaction()
  item(@Param('id') id: string, @CurrentTenant() { slug }: Tenant) {
    return { id, slug };
  }
}

@Controller('class')
@TenantTransaction({ isolation: 'SERIALIZABLE' })
class ClassController {
  constructor(private readonly notes: Notes) {}

  @Get('kept')
  kept() {
    return this.notes.writeInEveryWay();
  }

  @Get('conflict')
  async conflict() {
    await this.notes.writeInEveryWay();
    throw new ConflictException();
  }

  @Get('level')
  async level() {
    return { level: await this.notes.level() };
  }

  @Get('own-level')
  @TenantTransaction({ isolation: 'REPEATABLE READ' })
  ownLevel() {
    return this.level();
  }

  @Get('default-level')
  @TenantTransaction()
  defaultLevel() {
    return this.level();
  }
}

const startApp = (options: TenancyOptions, adapter: () => ReturnType<(typeof ADAPTERS)[number][1]>) =>
  startTestApp(
    {
      imports: [
        TenancyModule.forRoot({
          ...options,
          migrations: [CreateNotes1700000000000, NotesOnce1700000000001],
        }),
        TenancyModule.forFeature([Note]),
      ],
      controllers: [PlainController, MethodController, ClassController],
      providers: [Notes],
    },
    { adapter: adapter() },
  );

const WAYS = ['connection', 'injected', 'plain', 'manager', 'transaction'];
const IN_ONE = { status: 200, body: { seen: Array(4).fill(WAYS), transactions: 1 } };

describe.each(ADAPTERS)('A transaction for each request, on %s', (_name, adapter) => {
  let database: TestDatabase;
  let app: TestApp;
  let tenants: Tenant[];

  /** What anybody sees from outside, at this moment. */
  const kept = async (slug: string): Promise<string[]> => {
    const { schemaName } = tenants.find((tenant) => tenant.slug === slug)!;
    const rows = await database.query<{ text: string }>(`SELECT text FROM ${schemaName}.note ORDER BY id`);
    return rows.map(({ text }) => text);
  };

  const start = async (poolSize: number) => {
    database = await createTestDatabase();
    app = await startApp(
      notesOptions(database, {
        database: { url: database.url, poolSize, connectAttempts: 1, connectTimeoutMs: 2_000 },
      }),
      adapter,
    );
    tenants = [await app.create({ slug: 'acme' }), await app.create({ slug: 'globex' })];
  };
  const empty = async () => {
    for (const { schemaName } of tenants) await database.query(`TRUNCATE ${schemaName}.note`);
  };
  const stop = async () => {
    await app.close();
    await database.drop();
  };

  /** Whoever does not join the transaction waits for its connection, and is told that there is none. */
  describe('in a pool of one', () => {
    beforeAll(() => start(1));
    afterAll(stop);
    beforeEach(empty);

    it.each(['/method/kept', '/method/observable', '/class/kept', '/run/kept'])(
      'is one for every repository, and is kept: %s',
      async (path) => {
        await expect(app.get(path, 'acme')).resolves.toEqual(IN_ONE);
        await expect(kept('acme')).resolves.toEqual(WAYS);
        await expect(kept('globex')).resolves.toEqual([]);
      },
    );

    it('is kept when the handler gives nothing', async () => {
      await expect(app.get('/method/nothing', 'acme')).resolves.toMatchObject({ status: 200 });
      await expect(kept('acme')).resolves.toEqual(['one']);
    });

    it.each([
      ['/method/conflict', 409],
      ['/method/error', 500],
      ['/method/failed-observable', 409],
      ['/method/inner-run', 409],
      ['/class/conflict', 409],
    ])('is rolled back when the handler fails, and the answer is the handler’s: %s', async (path, status) => {
      await expect(app.get(path, 'acme')).resolves.toMatchObject({ status });
      await expect(kept('acme')).resolves.toEqual([]);
      await expect(app.get('/method/kept', 'acme')).resolves.toMatchObject({ status: 200 });
    });

    it('says nothing of an error that is not an HttpException', async () => {
      await expect(app.get('/method/error', 'acme')).resolves.toEqual({
        status: 500,
        body: { statusCode: 500, message: 'Internal server error' },
      });
    });

    it('ends with the work that was given to run', async () => {
      await expect(app.get('/run/then-fail', 'acme')).resolves.toMatchObject({ status: 409 });
      await expect(kept('acme')).resolves.toEqual(['after']);
    });

    it('is committed before the answer is sent: one whose COMMIT is refused is not answered with success', async () => {
      await expect(app.get('/method/refused-at-commit', 'acme')).resolves.toMatchObject({ status: 500 });
      await expect(kept('acme')).resolves.toEqual([]);
      await expect(app.get('/method/kept', 'acme')).resolves.toMatchObject({ status: 200 });
    });

    it.each(['/method/swallowed-failure', '/method/swallowed-rollback'])(
      'answers 500 when a failure in it was swallowed, keeps nothing and says so in the log: %s',
      async (path) => {
        app.log.errors.length = 0;
        await expect(app.get(path, 'acme')).resolves.toMatchObject({
          status: 500,
          body: { statusCode: 500, code: 'TRANSACTION_DOOMED' },
        });
        await expect(kept('acme')).resolves.toEqual([]);
        expect(app.log.errors).toEqual([expect.stringContaining('was rolled back')]);
        await expect(app.get('/method/kept', 'globex')).resolves.toMatchObject({ status: 200 });
      },
    );

    it.each(['/method/nobody', '/run/nobody'])('needs a tenant: %s', async (path) => {
      for (const claim of [undefined, 'acme']) {
        await expect(app.get(path, claim)).resolves.toMatchObject({
          status: 500,
          body: { code: 'TENANT_REQUIRED' },
        });
      }
      await expect(app.get('/method/kept', 'acme')).resolves.toMatchObject({ status: 200 });
    });

    it.each([
      ['/class/level', 'serializable'],
      ['/class/own-level', 'repeatable read'],
      ['/class/default-level', 'read committed'],
      ['/run/level', 'serializable'],
    ])(
      'runs at the level that is asked for; the method’s options replace the class’s: %s',
      async (path, level) => {
        await expect(app.get(path, 'acme')).resolves.toEqual({ status: 200, body: { level } });
      },
    );

    it('is not begun for a request without a tenant: the guard answers before', async () => {
      await expect(app.get('/method/kept')).resolves.toMatchObject({
        status: 400,
        body: { code: 'TENANT_MISSING' },
      });
    });

    it('does not change what the handler is given', async () => {
      await expect(app.get('/method/item/7', 'globex')).resolves.toEqual({
        status: 200,
        body: { id: '7', slug: 'globex' },
      });
    });

    it('is each request’s own when those of two tenants come at once', async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const slug = i % 2 ? 'acme' : 'globex';
          return { slug, ...(await app.get('/method/slowly', slug)) };
        }),
      );
      for (const slug of ['acme', 'globex']) {
        const own = answers.filter((answer) => answer.slug === slug).map(({ body }) => body as string[]);
        own.sort((a, b) => a.length - b.length);
        const all = Array.from({ length: 10 }, (_, i) => `${slug} ${i}`);
        expect(own).toEqual(all.map((_, i) => all.slice(0, i + 1)));
        await expect(kept(slug)).resolves.toEqual(all);
      }
    });
  });

  describe('in a pool of three', () => {
    beforeAll(() => start(3));
    afterAll(stop);
    beforeEach(empty);

    it('is not seen by others while it is open, and the one that began first may end first', async () => {
      const [acme, globex] = ['acme', 'globex'].map((slug) => {
        const gate = new Gate();
        gates.set(slug, gate);
        return { gate, answer: app.get('/method/held', slug) };
      });
      await Promise.all([acme.gate.reached, globex.gate.reached]);
      await expect(app.get('/texts', 'acme')).resolves.toMatchObject({ body: [] });
      await expect(app.get('/texts', 'globex')).resolves.toMatchObject({ body: [] });
      acme.gate.open();
      await expect(acme.answer).resolves.toMatchObject({ status: 200, body: ['acme'] });
      await expect(kept('acme')).resolves.toEqual(['acme']);
      await expect(kept('globex')).resolves.toEqual([]);
      globex.gate.open();
      await expect(globex.answer).resolves.toMatchObject({ status: 200, body: ['globex'] });
      await expect(kept('globex')).resolves.toEqual(['globex']);
      gates.clear();
    });
  });
});

describe('A transaction for each request, with a replica', () => {
  let database: TestDatabase;
  let primary: WireTap;
  let replica: WireTap;
  let app: TestApp;

  beforeAll(async () => {
    database = await createTestDatabase();
    primary = await tapWire(database.url);
    replica = await tapWire(database.url);
    const typeorm = { replication: { master: { url: primary.url }, slaves: [{ url: replica.url }] } };
    app = await startApp(
      notesOptions(database, {
        database: { url: database.url, poolSize: 1, connectAttempts: 1, connectTimeoutMs: 2_000 },
        typeorm,
      }),
      ADAPTERS[0][1],
    );
    await app.create({ slug: 'acme' });
  });
  afterAll(async () => {
    await app.close();
    await primary.close();
    await replica.close();
    await database.drop();
  });

  it('reads on the primary what it has written there, and touches no replica', async () => {
    replica.reset();
    await expect(app.get('/method/kept', 'acme')).resolves.toEqual(IN_ONE);
    expect(replica.messages).toEqual([]);
  });

  it('reads outside of one go to the replica', async () => {
    replica.reset();
    await app.get('/texts', 'acme');
    expect(replica.roundTrips).toBe(1);
  });
});
