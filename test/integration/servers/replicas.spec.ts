import { Controller, Get, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, Repository } from 'typeorm';
import {
  InjectTenantRepository,
  PoolStatistics,
  TENANT_DATA_SOURCE,
  TenancyModule,
  TenantConnection,
  type TenancyOptions,
  TenantProvisioner,
} from '../../../lib';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { Note, notesOptions } from '../../support/notes';
import { startTestApp, type TestApp } from '../../support/test-app';
import { tapWire, type WireTap } from '../../support/wire-tap';

@Controller()
class NotesController {
  constructor(
    @InjectTenantRepository(Note) private readonly notes: Repository<Note>,
    private readonly connection: TenantConnection,
    @InjectDataSource(TENANT_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  @Get('write')
  async write() {
    await this.notes.insert({ text: 'one' });
    return this.connection.transaction((manager) => manager.find(Note));
  }

  @Get('read')
  async read() {
    return (await this.notes.find()).length;
  }

  @Get('write-to-replica')
  async writeToReplica() {
    const runner = this.dataSource.createQueryRunner('slave');
    try {
      await runner.query(`INSERT INTO note (text) VALUES ('astray')`);
      return {};
    } catch (error) {
      return { code: (error as { code: string }).code };
    } finally {
      await runner.release();
    }
  }
}

/** One database behind two wires is a primary and its replica: which of them was used tells where a read went. */
describe('Replicas of servers', () => {
  const closed: (() => Promise<unknown>)[] = [];
  let wires: Record<'home' | 'homeReplica' | 'eu' | 'euReplica', WireTap>;
  let start: (changes: Partial<TenancyOptions>) => Promise<TestApp>;
  let app: TestApp;

  beforeAll(async () => {
    const [home, eu] = [await createTestDatabase(), await createTestDatabase()];
    closed.push(
      () => home.drop(),
      () => eu.drop(),
    );
    const wire = async ({ url }: TestDatabase) => {
      const tap = await tapWire(url);
      closed.push(() => tap.close());
      return tap;
    };
    wires = {
      ...{ home: await wire(home), homeReplica: await wire(home) },
      ...{ eu: await wire(eu), euReplica: await wire(eu) },
    };
    start = async (changes) => {
      const started = await startTestApp({
        imports: [
          TenancyModule.forRoot(notesOptions(home, { sweeper: { intervalMs: 0 }, ...changes })),
          TenancyModule.forFeature([Note]),
        ],
        controllers: [NotesController],
      });
      closed.push(() => started.close());
      return started;
    };
    app = await start({
      servers: { eu: { url: wires.eu.url, replicas: [wires.euReplica.url], poolSize: 2 } },
    });
    for (const server of ['default', 'eu'])
      await app.app.get(TenantProvisioner).create({ slug: server }, { place: { server } });
    // The first one looks at it.
    await app.get('/read', 'eu');
  });
  afterAll(async () => {
    for (const close of closed.reverse()) await close();
  });
  afterEach(() => jest.restoreAllMocks());

  /** To which wires it went. */
  const waysOf = async (path: string, slug: string, { get } = app) => {
    for (const each of Object.values(wires)) each.reset();
    await expect(get(path, slug)).resolves.toMatchObject({ status: 200 });
    return Object.keys(wires).filter((name) => wires[name as keyof typeof wires].roundTrips > 0);
  };

  it('answer the reads of their own server’s tenants, and a server without any answers itself', async () => {
    expect(await waysOf('/read', 'eu')).toEqual(['euReplica']);
    expect(await waysOf('/write', 'eu')).toEqual(['eu']);
    expect(await waysOf('/read', 'default')).toEqual([]);
    const many = await Promise.all(
      Array.from({ length: 30 }, (_, i) => app.get('/read', i % 2 ? 'eu' : 'default')),
    );
    expect(many.map(({ body }) => body as unknown)).toEqual(Array.from({ length: 30 }, (_, i) => i % 2));
  });

  it('have a pool of their own, and take no writes', async () => {
    const sizes = [...app.app.get(PoolStatistics).readByServer()].map(([name, { size }]) => [name, size]);
    expect(Object.fromEntries(sizes)).toEqual({ eu: 4, default: 10 });
    // read_only_sql_transaction, by what stands in for a replica, too.
    await expect(app.get('/write-to-replica', 'eu')).resolves.toMatchObject({ body: { code: '25006' } });
  });

  it('hand their reads to the server while they are away, and take them back', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn');
    wires.euReplica.cut();
    // The first may still be given a connection of which nobody knows that it is cut.
    await app.get('/read', 'eu');
    for (let i = 0; i < 5; i++) expect(await waysOf('/read', 'eu')).toEqual(['eu']);
    const told = warn.mock.calls.map(([text]) => String(text));
    expect(told.filter((text) => text.includes('Nothing is read from servers.eu.replicas[0]'))).toHaveLength(
      1,
    );
    wires.euReplica.restore();
    while ((await waysOf('/read', 'eu')).join() !== 'euReplica');
  });

  it('are read from while their server is away, which is one line of the log, and one when it is back', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn');
    const log = jest.spyOn(Logger.prototype, 'log');
    wires.eu.cut();
    // Connections of which nobody knows yet that they are cut.
    await Promise.all([app.get('/write', 'eu'), app.get('/write', 'eu')]);
    const error = jest.spyOn(Logger.prototype, 'error');
    expect(await waysOf('/read', 'eu')).toEqual(['euReplica']);
    for (let i = 0; i < 5; i++)
      await expect(app.get('/write', 'eu')).resolves.toMatchObject({
        status: 503,
        body: {
          code: 'TENANCY_UNAVAILABLE',
          message: 'The database of this tenant is not available right now. Try again shortly.',
        },
      });
    wires.eu.restore();
    while ((await app.get('/write', 'eu')).status !== 200);
    expect(error).not.toHaveBeenCalled();
    expect(warn.mock.calls.map(([text]) => text as unknown)).toEqual([
      expect.stringContaining('The tenants of the server "eu" get 503: The server "eu" is not available'),
    ]);
    expect(log.mock.calls.map(([text]) => text as unknown)).toEqual(['The server "eu" is there again.']);
  });

  it('are those of typeorm.replication where the registry is, and are not read from when they are none', async () => {
    const second = await start({
      typeorm: {
        replication: { master: { url: wires.home.url }, slaves: [{ url: wires.homeReplica.url }] },
      },
      servers: { eu: { url: wires.eu.url, replicas: [wires.homeReplica.url] } },
    });
    await second.get('/read', 'default');
    expect(await waysOf('/read', 'default', second)).toEqual(['homeReplica']);
    expect(await waysOf('/write', 'default', second)).toEqual(['home']);
    await expect(second.get('/read', 'eu')).resolves.toMatchObject({
      status: 503,
      body: { code: 'SERVER_MISMATCH' },
    });
    expect(await waysOf('/write', 'eu', second)).toEqual(['eu']);
  });
});
