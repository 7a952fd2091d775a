import type { Server } from 'node:net';
import {
  Body,
  Catch,
  Controller,
  type ExecutionContext,
  Get,
  type INestMicroservice,
  Inject,
  Module,
  type RpcExceptionFilter,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxyFactory,
  type ClientProxy,
  EventPattern,
  MessagePattern,
  type MicroserviceOptions,
  Payload,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import { concatMap, finalize, lastValueFrom, range, throwError, toArray, type Observable } from 'rxjs';
import {
  CurrentTenant,
  type Tenant,
  TenancyModule,
  TenantConnection,
  TenantContext,
  TenantFree,
  TenantLifecycle,
  TenantOptional,
  TenantProvisioner,
  TenantTransaction,
} from '../../lib';
import { fromPayload, TenancyTransportsModule, TenantInterceptor } from '../../lib/transports';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Note, notesOptions } from '../support/notes';
import { recover } from '../support/recovery';
import { RecordingLogger } from '../support/test-app';
import { tapWire, type WireTap } from '../support/wire-tap';

const POOL_SIZE = 2;

/** What a test and the handlers tell each other. */
class Desk {
  readonly seen: unknown[] = [];
  arrived = () => {};
  /** What a handler that waits in its middle waits for. */
  mayGoOn: Promise<void> = Promise.resolve();
}

/** Answers with what it caught. */
@Catch(RpcException)
class CauseFilter implements RpcExceptionFilter<RpcException> {
  catch({ cause }: RpcException) {
    return throwError(() => ({ cause: (cause as Error).constructor.name }));
  }
}

@Controller()
@UseInterceptors(TenantInterceptor)
class NotesController {
  constructor(
    private readonly connection: TenantConnection,
    private readonly context: TenantContext,
    @Inject(Desk) private readonly desk: Desk,
  ) {}

  #texts = async (): Promise<string[]> => {
    const notes = await this.connection.getRepository(Note).findBy({ id: 1 });
    return notes.map(({ text }) => text);
  };

  @MessagePattern('tenant')
  async tenant(@CurrentTenant() tenant: Tenant, @CurrentTenant('slug') slug: string) {
    return [tenant.id, slug, this.context.tenant().slug, ...(await this.#texts())];
  }

  @MessagePattern('rewrite')
  @TenantTransaction()
  async rewrite(@CurrentTenant('slug') slug: string) {
    const notes = this.connection.getRepository(Note);
    await notes.update({ id: 1 }, { text: () => 'text' });
    return [slug, ...(await this.#texts())];
  }

  /** A value after each statement. */
  @MessagePattern('stream')
  stream(): Observable<string[]> {
    return range(5).pipe(concatMap(this.#texts));
  }

  @MessagePattern('fails')
  async fails(@Payload() { sql }: { sql?: string }) {
    if (sql) await this.connection.query(sql);
    throw new Error('the password is 1234');
  }

  @MessagePattern('filtered')
  @UseFilters(CauseFilter)
  filtered() {
    return 'nothing to catch';
  }

  @MessagePattern('free')
  @TenantFree()
  async free(@CurrentTenant() tenant: Tenant | undefined) {
    const refusal = await this.#texts().catch(({ code }: { code: string }) => code);
    return [tenant ?? null, this.context.find() ?? null, refusal];
  }

  @MessagePattern('optional')
  @TenantOptional()
  optional(@CurrentTenant('slug') slug: string | undefined) {
    return [slug ?? null, this.context.find()?.slug ?? null];
  }

  @MessagePattern('waits')
  waits(): Observable<string[]> {
    this.desk.arrived();
    return range(2).pipe(
      concatMap(async () => {
        await this.desk.mayGoOn;
        const texts = await this.#texts();
        this.desk.seen.push(...texts);
        return texts;
      }),
      finalize(() => this.desk.seen.push(`end of ${this.context.find()?.slug}`)),
    );
  }

  @EventPattern('noted')
  async noted(@CurrentTenant('slug') slug: string) {
    this.desk.seen.push([slug, ...(await this.#texts())]);
    this.desk.arrived();
  }

  /** Hears the same event, and belongs to nobody. */
  @EventPattern('noted')
  @TenantFree()
  counted(@CurrentTenant('slug') slug: string | undefined) {
    this.desk.seen.push(slug ?? 'nobody');
  }
}

@Controller()
class BareController {
  constructor(private readonly connection: TenantConnection) {}

  @MessagePattern('bare')
  bare(@CurrentTenant() tenant: Tenant) {
    return tenant.slug;
  }

  @MessagePattern('bare query')
  query() {
    return this.connection.query('SELECT 1');
  }

  @Get('http')
  @UseInterceptors(TenantInterceptor)
  http(@CurrentTenant('slug') slug: string, @Body() _body: unknown) {
    return { slug };
  }
}

/** A microservice alone, and one beside an HTTP application whose filters it does not inherit. */
const KINDS = ['alone', 'beside HTTP'] as const;

describe.each(KINDS)('A TCP microservice, %s', (kind) => {
  let database: TestDatabase;
  let wire: WireTap;
  let app: Pick<INestMicroservice, 'get' | 'close'>;
  let port: number;
  let url: string;
  let client: ClientProxy;
  let acme: Tenant;
  let globex: Tenant;
  const log = new RecordingLogger();
  const tenantOf = jest.fn<ReturnType<ReturnType<typeof fromPayload>>, [ExecutionContext]>();
  const desk = new Desk();

  beforeAll(async () => {
    database = await createTestDatabase();
    wire = await tapWire(database.url);
    const options = notesOptions(database, {
      database: { url: wire.url, connectAttempts: 1, poolSize: POOL_SIZE },
      cache: { ttlMs: 0 },
    });

    @Module({
      imports: [TenancyModule.forRoot(options), TenancyTransportsModule.forRoot({ tenantOf })],
      controllers: [NotesController, BareController],
      providers: [{ provide: Desk, useValue: desk }],
    })
    class RootModule {}

    const tcp: MicroserviceOptions = { transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } };
    let service: INestMicroservice;
    if (kind === 'alone') {
      service = await NestFactory.createMicroservice(RootModule, { ...tcp, logger: log });
      await service.listen();
      app = service;
    } else {
      const http = await NestFactory.create(RootModule, { logger: log });
      service = http.connectMicroservice(tcp);
      await http.startAllMicroservices();
      await http.listen(0, '127.0.0.1');
      url = await http.getUrl();
      app = http;
    }
    ({ port } = service.unwrap<Server>().address() as { port: number });
    client = connect();
    const provisioner = app.get(TenantProvisioner);
    acme = await provisioner.create({ slug: 'acme' });
    globex = await provisioner.create({ slug: 'globex' });
    for (const { schemaName, slug } of [acme, globex]) {
      await database.query(`INSERT INTO ${schemaName}.note (text) VALUES ('of ${slug}')`);
    }
  });
  afterAll(async () => {
    client.close();
    await app.close();
    await wire.close();
    await database.drop();
  });
  beforeEach(() => {
    tenantOf.mockReset().mockImplementation(fromPayload());
    Object.assign(desk, new Desk());
    log.errors.length = 0;
  });

  const connect = () =>
    ClientProxyFactory.create({ transport: Transport.TCP, options: { host: '127.0.0.1', port } });
  const send = (pattern: string, payload: unknown = {}): Promise<unknown> =>
    lastValueFrom(client.send(pattern, payload));
  const unavailable = {
    status: 'error',
    code: 'TENANCY_UNAVAILABLE',
    message: expect.stringContaining('not available right now'),
  };

  it('runs a handler for the tenant that the message names, by slug or by id', async () => {
    const answer = [acme.id, 'acme', 'acme', 'of acme'];
    await expect(send('tenant', { tenant: 'acme' })).resolves.toEqual(answer);
    await expect(send('tenant', { tenant: acme.id.toUpperCase() })).resolves.toEqual(answer);
  });

  it('never mixes two tenants whose messages come at once, on fewer connections and equal primary keys', async () => {
    const patterns = ['tenant', 'rewrite', 'stream'];
    const wrong: unknown[] = [];
    await Promise.all(
      Array.from({ length: 150 }, async (_, i) => {
        const slug = i % 2 ? 'acme' : 'globex';
        const answers = await lastValueFrom(
          client.send<string[]>(patterns[i % 3], { tenant: slug }).pipe(toArray()),
        );
        const texts = answers.map((answer) => answer.at(-1));
        if (texts.length !== (i % 3 === 2 ? 5 : 1) || texts.some((text) => text !== `of ${slug}`))
          wrong.push({ slug, answers });
      }),
    );
    expect(wrong).toEqual([]);
  });

  it.each([
    ['names nobody', {}, 'TENANT_MISSING'],
    ['is no object', 'acme', 'TENANT_MISSING'],
    ['is a list', ['acme'], 'TENANT_MISSING'],
    ['names an unknown tenant', { tenant: 'initech' }, 'TENANT_NOT_FOUND'],
    ['names an unknown id', { tenant: '01890a5d-ac96-774b-bcce-b302099a8059' }, 'TENANT_NOT_FOUND'],
    ['names a tenant by what is no text', { tenant: { slug: 'acme' } }, 'TENANT_NOT_FOUND'],
    ['names a tenant by a list', { tenant: ['acme'] }, 'TENANT_NOT_FOUND'],
    ['names a tenant by null', { tenant: null }, 'TENANT_NOT_FOUND'],
    ['names a tenant by nothing', { tenant: '' }, 'TENANT_NOT_FOUND'],
    ['names a tenant by a megabyte', { tenant: 'a'.repeat(1_000_000) }, 'TENANT_NOT_FOUND'],
    ['names a tenant by hostile text', { tenant: 'acme\0"; DROP SCHEMA tenancy' }, 'TENANT_NOT_FOUND'],
    ['names a tenant by a look-alike', { tenant: 'аcme' }, 'TENANT_NOT_FOUND'],
  ])('refuses a message that %s', async (_what, payload, code) => {
    await expect(send('tenant', payload)).rejects.toEqual({
      status: 'error',
      code,
      message: code === 'TENANT_MISSING' ? 'The request names no tenant.' : 'No such tenant.',
    });
  });

  it('finds no field on the prototype of a payload', async () => {
    tenantOf.mockImplementation(fromPayload('constructor'));
    await expect(send('tenant', {})).rejects.toMatchObject({ code: 'TENANT_MISSING' });
  });

  it('refuses a suspended tenant from the next message on', async () => {
    await app.get(TenantLifecycle).suspend('globex');
    await expect(send('tenant', { tenant: 'globex' })).rejects.toEqual({
      status: 'error',
      code: 'TENANT_NOT_ACTIVE',
      message: 'Tenant "globex" is not active (status: suspended).',
    });
    await app.get(TenantLifecycle).activate('globex');
    await expect(send('tenant', { tenant: 'globex' })).resolves.toContain('of globex');
  });

  it('runs a free handler for nobody, whatever the message names', async () => {
    for (const tenant of ['acme', 'nobody-knows']) {
      await expect(send('free', { tenant })).resolves.toEqual([null, null, 'TENANT_REQUIRED']);
    }
    expect(tenantOf).not.toHaveBeenCalled();
  });

  it('runs an optional handler with a tenant and without one, but not for a wrong one', async () => {
    await expect(send('optional', { tenant: 'acme' })).resolves.toEqual(['acme', 'acme']);
    await expect(send('optional')).resolves.toEqual([null, null]);
    await expect(send('optional', { tenant: 'initech' })).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' });
  });

  it('gives each handler of one event its own tenant, or none', async () => {
    const arrived = new Promise<void>((resolve) => (desk.arrived = resolve));
    client.emit('noted', { tenant: 'acme' });
    await arrived;
    expect(desk.seen).toHaveLength(2);
    expect(desk.seen).toEqual(expect.arrayContaining(['nobody', ['acme', 'of acme']]));
  });

  it('says in the log that an event was refused, since nobody is answered', async () => {
    client.emit('noted', { tenant: 'initech' });
    while (log.errors.length === 0) await send('optional');
    expect(log.errors).toContainEqual(expect.stringContaining('No such tenant.'));
  });

  it('tells nothing of an error that was not made for clients, nor of the SQL that failed', async () => {
    const nothing = { status: 'error', message: 'Internal server error' };
    await expect(send('fails', { tenant: 'acme' })).rejects.toEqual(nothing);
    const sql = `SELECT 'secret' FROM nowhere`;
    await expect(send('fails', { tenant: 'acme', sql })).rejects.toEqual(nothing);
    expect(log.errors.filter((text) => /nowhere|1234/.test(text))).toHaveLength(2);
    await expect(send('tenant', { tenant: 'acme' })).resolves.toContain('of acme');
  });

  it('shows filters its errors as RpcExceptions with their cause', async () => {
    await expect(send('filtered', { tenant: 'initech' })).rejects.toEqual({ cause: 'TenantNotFoundError' });
  });

  it('says that it is not available while the database is away, and serves again after that', async () => {
    wire.cut();
    await expect(send('tenant', { tenant: 'acme' })).rejects.toEqual(unavailable);
    expect(log.errors).toContainEqual(expect.stringContaining('not available right now'));
    await recover(wire, app, acme);
    await expect(send('tenant', { tenant: 'acme' })).resolves.toContain('of acme');
  });

  it('says so too when the database goes away in the middle of a handler', async () => {
    const arrived = new Promise<void>((resolve) => (desk.arrived = resolve));
    let goOn!: () => void;
    desk.mayGoOn = new Promise((resolve) => (goOn = resolve));
    const answer = send('waits', { tenant: 'acme' });
    await arrived;
    wire.cut();
    goOn();
    await expect(answer).rejects.toEqual(unavailable);
    await recover(wire, app, acme);
    await expect(send('tenant', { tenant: 'acme' })).resolves.toContain('of acme');
  });

  it('goes on for the same tenant when the client leaves in the middle, and keeps no connection', async () => {
    const arrived = new Promise<void>((resolve) => (desk.arrived = resolve));
    let goOn!: () => void;
    desk.mayGoOn = new Promise((resolve) => (goOn = resolve));
    const leaving = connect();
    const answer = lastValueFrom(leaving.send('waits', { tenant: 'globex' }));
    answer.catch(() => undefined);
    await arrived;
    leaving.close();
    goOn();
    await expect(answer).rejects.toThrow('Connection closed');
    await Promise.all(Array.from({ length: POOL_SIZE * 2 }, () => send('tenant', { tenant: 'acme' })));
    while (desk.seen.length < 3) await send('optional');
    expect(desk.seen).toEqual(['of globex', 'of globex', 'end of globex']);
  });

  it.each([
    ['throws', () => Promise.reject(new Error('the vault is closed')), { message: 'Internal server error' }],
    [
      'gives no claim',
      () => ({ by: 'name', value: 'acme' }) as never,
      { code: 'MESSAGE_TENANT_READER_INVALID' },
    ],
  ])('refuses messages when the reader %s, and logs it', async (_what, reader, error) => {
    tenantOf.mockImplementation(reader);
    await expect(send('tenant', { tenant: 'acme' })).rejects.toMatchObject({ status: 'error', ...error });
    expect(log.errors).toHaveLength(1);
  });

  it('runs a handler without the interceptor for nobody, and says what is missing', async () => {
    await expect(send('bare', { tenant: 'acme' })).rejects.toMatchObject({ status: 'error' });
    expect(log.errors).toContainEqual(expect.stringContaining('@UseInterceptors(TenantInterceptor)'));
    await expect(send('bare query', { tenant: 'acme' })).rejects.toMatchObject({ status: 'error' });
  });

  if (kind === 'beside HTTP') {
    it('leaves HTTP requests as they are', async () => {
      const response = await fetch(`${url}/http`, { headers: { 'x-tenant-id': 'acme' } });
      await expect(response.json()).resolves.toEqual({ slug: 'acme' });
    });
  }
});

it('TenancyTransportsModule refuses messages when nobody says where their tenant is', async () => {
  const database = await createTestDatabase();

  @Module({
    imports: [TenancyModule.forRoot(notesOptions(database)), TenancyTransportsModule.forRoot()],
    controllers: [NotesController],
    providers: [Desk],
  })
  class RootModule {}

  const log = new RecordingLogger();
  const service = await NestFactory.createMicroservice<MicroserviceOptions>(RootModule, {
    transport: Transport.TCP,
    options: { host: '127.0.0.1', port: 0 },
    logger: log,
  });
  await service.listen();
  const { port } = service.unwrap<Server>().address() as { port: number };
  const client = ClientProxyFactory.create({
    transport: Transport.TCP,
    options: { host: '127.0.0.1', port },
  });
  try {
    await expect(lastValueFrom(client.send('tenant', { tenant: 'acme' }))).rejects.toMatchObject({
      code: 'MESSAGE_TENANT_READER_INVALID',
    });
    expect(log.errors).toContainEqual(expect.stringContaining('fromPayload()'));
    await expect(lastValueFrom(client.send('free', {}))).resolves.toEqual([null, null, 'TENANT_REQUIRED']);
  } finally {
    client.close();
    await service.close();
    await database.drop();
  }
});
