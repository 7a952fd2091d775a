import { type EventEmitter, once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Inject, Injectable, type PipeTransform, UseInterceptors } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  MessageBody,
  type OnGatewayConnection,
  SubscribeMessage,
  WebSocketGateway,
} from '@nestjs/websockets';
import { concatMap, defer, finalize, range, repeat, type Observable } from 'rxjs';
import {
  CurrentTenant,
  fromHeader,
  fromSubdomain,
  type Tenant,
  TenancyError,
  TenancyModule,
  TenantConnection,
  TenantContext,
  TenantFree,
  TenantLifecycle,
  TenantOptional,
  TenantTransaction,
} from '../../lib';
import { fromCookie } from '../../lib/resolution/resolvers/from-cookie';
import { fromQuery } from '../../lib/resolution/resolvers/from-query';
import { TenancyTransportsModule, TenantHandshakes, TenantInterceptor } from '../../lib/transports';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Note, notesOptions } from '../support/notes';
import { recover } from '../support/recovery';
import { type Handshake, type Refusal, SOCKET_KINDS, type SocketClient } from '../support/socket-clients';
import { startTestApp, type TestApp } from '../support/test-app';
import { tapWire, type WireTap } from '../support/wire-tap';

const POOL_SIZE = 2;

/** What a test and the handlers tell each other. */
class Desk {
  readonly seen: unknown[] = [];
  /** The server's side of the last connection to the open gateway. */
  client?: EventEmitter;
  arrived = () => {};
  /** What a handler that waits in its middle waits for. */
  mayGoOn: Promise<void> = Promise.resolve();
}

class WordyError extends TenancyError {
  readonly code = 'Ü'.repeat(200);

  constructor() {
    super('So it is.');
  }
}

interface Body {
  readonly n: number;
  readonly sql?: string;
}

/** Pipes run after the interceptor, so they know the tenant, too. */
@Injectable()
class TenantSlugPipe implements PipeTransform {
  constructor(private readonly context: TenantContext) {}

  transform(body: Body) {
    return { ...body, pipe: this.context.find()?.slug };
  }
}

abstract class NotesGateway {
  constructor(
    private readonly connection: TenantConnection,
    private readonly context: TenantContext,
    @Inject(Desk) protected readonly desk: Desk,
    protected readonly handshakes: TenantHandshakes,
  ) {}

  #texts = async (): Promise<string[]> => {
    const notes = await this.connection.getRepository(Note).findBy({ id: 1 });
    return notes.map(({ text }) => text);
  };

  @SubscribeMessage('tenant')
  async tenant(
    @CurrentTenant() { id }: Tenant,
    @CurrentTenant('slug') slug: string,
    @MessageBody(TenantSlugPipe) { n, pipe }: Body & { pipe: string },
  ) {
    const texts = await this.#texts();
    return { event: 'tenant', data: { n, id, seen: [slug, pipe, this.context.tenant().slug, ...texts] } };
  }

  @SubscribeMessage('rewrite')
  @TenantTransaction()
  async rewrite(@CurrentTenant('slug') slug: string, @MessageBody() { n }: Body) {
    await this.connection.getRepository(Note).update({ id: 1 }, { text: () => 'text' });
    return { event: 'rewrite', data: { n, seen: [slug, ...(await this.#texts())] } };
  }

  /** A value after each statement. */
  @SubscribeMessage('stream')
  stream(@MessageBody() { n }: Body): Observable<unknown> {
    return range(5).pipe(
      concatMap(async () => ({ event: 'stream', data: { n, seen: await this.#texts() } })),
    );
  }

  @SubscribeMessage('fails')
  async fails(@MessageBody() { sql }: Body) {
    if (sql) await this.connection.query(sql);
    throw new Error('the password is 1234');
  }

  @SubscribeMessage('free')
  @TenantFree()
  async free(@CurrentTenant() tenant: Tenant | undefined, @MessageBody() { n }: Body) {
    this.desk.seen.push('free');
    const refusal = await this.#texts().catch(({ code }: { code: string }) => code);
    return { event: 'free', data: { n, seen: [tenant ?? null, this.context.find() ?? null, refusal] } };
  }

  @SubscribeMessage('optional')
  @TenantOptional()
  optional(@CurrentTenant('slug') slug: string | undefined, @MessageBody() { n }: Body) {
    return { event: 'optional', data: { n, seen: [slug ?? null, this.context.find()?.slug ?? null] } };
  }

  @SubscribeMessage('waits')
  async waits(@CurrentTenant('slug') slug: string) {
    this.desk.arrived();
    await this.desk.mayGoOn;
    this.desk.seen.push([slug, ...(await this.#texts())]);
    this.desk.arrived();
  }

  /** Goes on until the client is gone. */
  @SubscribeMessage('endless')
  endless(@MessageBody() { n }: Body): Observable<unknown> {
    return defer(async () => ({ event: 'endless', data: { n, seen: await this.#texts() } })).pipe(
      repeat(),
      finalize(() => {
        this.desk.seen.push(this.context.find()?.slug);
        this.desk.arrived();
      }),
    );
  }
}

/** Refuses at once whoever names no tenant. */
@WebSocketGateway({ path: '/strict' })
@UseInterceptors(TenantInterceptor)
class StrictGateway extends NotesGateway implements OnGatewayConnection {
  async handleConnection(client: object, request?: IncomingMessage) {
    await this.handshakes.accept(client, request);
  }
}

/** Has handlers for clients of nobody. */
@WebSocketGateway({ path: '/open' })
@UseInterceptors(TenantInterceptor)
class OpenGateway extends NotesGateway implements OnGatewayConnection {
  handleConnection(client: EventEmitter, request?: IncomingMessage) {
    this.desk.client = client;
    if (request) this.handshakes.keep(client, request);
  }
}

/** Its author forgot to keep the handshake. */
@WebSocketGateway({ path: '/forgetful' })
@UseInterceptors(TenantInterceptor)
class ForgetfulGateway extends NotesGateway {}

/** Its author forgot the interceptor. */
@WebSocketGateway({ path: '/bare' })
class BareGateway extends NotesGateway {}

describe.each(SOCKET_KINDS)('A gateway on $name', ({ name, tellsErrors, adapter, connect }) => {
  let database: TestDatabase;
  let wire: WireTap;
  let test: TestApp;
  let acme: Tenant;
  let globex: Tenant;
  const desk = new Desk();
  const open: SocketClient[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    wire = await tapWire(database.url);
    const options = notesOptions(database, {
      database: { url: wire.url, connectAttempts: 1, poolSize: POOL_SIZE },
      cache: { ttlMs: 0, staleIfErrorMs: 0 },
      trustedProxies: ['loopback'],
      resolvers: [
        fromHeader('x-tenant-id'),
        fromQuery('tenant'),
        fromCookie('tenant'),
        fromSubdomain('example.com'),
        ({ header }) => {
          if (header('x-broken') === 'at length') throw new WordyError();
          if (header('x-broken')) throw new Error('the vault is closed');
          return undefined;
        },
      ],
    });
    test = await startTestApp(
      {
        imports: [TenancyModule.forRoot(options), TenancyTransportsModule.forRoot()],
        providers: [
          StrictGateway,
          OpenGateway,
          ForgetfulGateway,
          BareGateway,
          { provide: Desk, useValue: desk },
        ],
      },
      {
        adapter: name === 'ws' ? new ExpressAdapter() : new FastifyAdapter(),
        prepare: (app) => void app.useWebSocketAdapter(adapter(app)),
      },
    );
    acme = await test.create({ slug: 'acme' });
    globex = await test.create({ slug: 'globex' });
    for (const { schemaName, slug } of [acme, globex]) {
      await database.query(`INSERT INTO ${schemaName}.note (text) VALUES ('of ${slug}')`);
    }
  });
  afterAll(async () => {
    await test.close();
    await wire.close();
    await database.drop();
  });
  beforeEach(() => {
    Object.assign(desk, new Desk());
    test.log.errors.length = 0;
  });
  afterEach(() => open.splice(0).forEach((client) => client.drop()));

  const join = async (path: string, handshake?: Handshake): Promise<SocketClient> => {
    const client = await connect(test.url, path, handshake);
    open.push(client);
    return client;
  };
  const of = (slug: string): Handshake => ({ headers: { 'x-tenant-id': slug } });
  const refused = (code: string, message: string, status = 1008): Refusal =>
    name === 'ws' ? { status, code } : { code, message };
  const NOT_FOUND = refused('TENANT_NOT_FOUND', 'No such tenant.');
  const MISSING = refused('TENANT_MISSING', 'The request names no tenant.');
  const SUSPENDED = refused('TENANT_NOT_ACTIVE', 'Tenant "globex" is not active (status: suspended).');
  const UNAVAILABLE = refused(
    'TENANCY_UNAVAILABLE',
    expect.stringContaining('not available right now') as string,
    1011,
  );
  const INTERNAL = refused('INTERNAL_SERVER_ERROR', 'Internal server error', 1011);

  it.each([
    ['a header', of('acme')],
    ['a header with an id', of('ACME')],
    ['the query', { query: { tenant: 'acme' } }],
    ['a cookie', { headers: { cookie: 'a=b; tenant=acme' } }],
    ['the host that a trusted proxy tells', { headers: { 'x-forwarded-host': 'acme.example.com' } }],
    ['the host', { headers: { host: 'ACME.example.com:80' } }],
  ])('runs each message for the tenant that %s of the handshake names', async (_what, handshake) => {
    const client = await join(
      '/strict',
      handshake.headers?.['x-tenant-id'] === 'ACME' ? of(acme.id) : handshake,
    );
    for (let i = 0; i < 2; i += 1) {
      await expect(client.ask('tenant')).resolves.toEqual({
        id: acme.id,
        seen: ['acme', 'acme', 'acme', 'of acme'],
      });
    }
  });

  it('never mixes two tenants whose messages come at once, on fewer connections and equal primary keys', async () => {
    const clients = await Promise.all(
      Array.from({ length: 6 }, (_, i) => join(i % 3 ? '/strict' : '/open', of(i % 2 ? 'acme' : 'globex'))),
    );
    const events = ['tenant', 'rewrite', 'stream'];
    const wrong: unknown[] = [];
    await Promise.all(
      Array.from({ length: 180 }, async (_, i) => {
        const slug = i % 2 ? 'acme' : 'globex';
        const event = events[i % 3];
        const answers = (await clients[i % 6].answers(event, event === 'stream' ? 5 : 1)) as {
          seen: string[];
        }[];
        if (answers.some(({ seen }) => seen.at(-1) !== `of ${slug}`)) wrong.push({ slug, answers });
      }),
    );
    expect(wrong).toEqual([]);
  });

  describe.each([
    ['that does not look at new connections', '/open'],
    ['that refuses new connections', '/strict'],
  ])('%s', (_what, path) => {
    /** The client sends in any case: whether it was refused before is nothing it can know. */
    const refusalOf = async (handshake?: Handshake) => {
      const client = await join(path, handshake);
      client.send('waits');
      return client.refusal;
    };

    it.each<[string, Handshake, Refusal]>([
      ['names nobody', {}, MISSING],
      ['names an unknown tenant', of('initech'), NOT_FOUND],
      ['names an unknown id', of('01890a5d-ac96-774b-bcce-b302099a8059'), NOT_FOUND],
      ['names a tenant by a malformed slug', of('-acme-'), NOT_FOUND],
      ['has two headers of one name', { headers: { 'x-tenant-id': ['acme', 'globex'] } }, NOT_FOUND],
      ['has the same header twice', { headers: { 'x-tenant-id': ['acme', 'acme'] } }, NOT_FOUND],
      ['has an empty header', of(''), NOT_FOUND],
      ['has a huge query', { query: { tenant: 'a'.repeat(12_000) } }, NOT_FOUND],
      ['has an unknown host', { headers: { host: 'initech.example.com' } }, NOT_FOUND],
      ['has a subdomain of hostile text', { headers: { host: `'--.example.com` } }, NOT_FOUND],
    ])('ends a connection whose handshake %s', async (_handshake, handshake, refusal) => {
      await expect(refusalOf(handshake)).resolves.toEqual(refusal);
      expect(desk.seen).toEqual([]);
      expect(test.log.errors).toEqual([]);
    });

    it('ends a connection of a suspended tenant', async () => {
      await test.app.get(TenantLifecycle).suspend('globex');
      await expect(refusalOf(of('globex'))).resolves.toEqual(SUSPENDED);
      await test.app.get(TenantLifecycle).activate('globex');
    });

    it('ends a connection when the registry is away, as not the client’s fault', async () => {
      wire.cut();
      await expect(refusalOf(of('acme'))).resolves.toEqual(UNAVAILABLE);
      expect(test.log.errors).toContainEqual(expect.stringContaining('not available right now'));
      await recover(wire, test.app, acme);
      await expect((await join(path, of('acme'))).ask('tenant')).resolves.toMatchObject({ id: acme.id });
    });

    it('ends a connection when a resolver fails, and tells nothing of why', async () => {
      await expect(refusalOf({ headers: { 'x-broken': '1' } })).resolves.toEqual(INTERNAL);
      expect(test.log.errors).toContainEqual(expect.stringContaining('the vault is closed'));
    });
  });

  it.each([
    [
      'two hosts',
      'GET /strict/?EIO=4&transport=websocket HTTP/1.1\r\nHost: acme.example.com\r\nHost: globex.example.com',
    ],
    [
      'a host that is none',
      'GET /strict/?EIO=4&transport=websocket HTTP/1.1\r\nHost: acme.example.com@evil/?#',
    ],
    ['no host', 'GET /strict/?EIO=4&transport=websocket HTTP/1.0'],
    [
      'a header of 100 kB',
      `GET /strict/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nX-Tenant-Id: ${'a'.repeat(100_000)}`,
    ],
  ])('survives a handshake with %s, and serves nobody for it', async (_what, head) => {
    const { port } = new URL(test.url);
    const socket = connectTcp(Number(port), '127.0.0.1');
    const received: Buffer[] = [];
    socket.on('data', (chunk) => {
      received.push(chunk);
      // socket.io waits for a client's greeting after the handshake.
      if (Buffer.concat(received).includes('101 Switching'))
        socket.end(Buffer.from([0x88, 0x80, 0, 0, 0, 0]));
    });
    socket.on('error', () => undefined);
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.write(
      `${head}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    await ended;
    expect(Buffer.concat(received).toString('latin1')).not.toContain('of acme');
    await expect((await join('/strict', of('acme'))).ask('tenant')).resolves.toMatchObject({ id: acme.id });
  });

  it('ends a connection at the next message after its tenant was suspended', async () => {
    const client = await join('/strict', of('globex'));
    await expect(client.ask('tenant')).resolves.toMatchObject({ id: globex.id });
    await test.app.get(TenantLifecycle).suspend('globex');
    const lateMessages = Promise.allSettled([client.ask('tenant'), client.ask('tenant')]);
    await expect(client.refusal).resolves.toEqual(SUSPENDED);
    await test.app.get(TenantLifecycle).activate('globex');
    await expect((await join('/strict', of('globex'))).ask('tenant')).resolves.toMatchObject({
      id: globex.id,
    });
    if (name === 'socket.io') await lateMessages;
  });

  it('ends a connection at the next message when the registry went away', async () => {
    const client = await join('/strict', of('acme'));
    await expect(client.ask('tenant')).resolves.toMatchObject({ id: acme.id });
    wire.cut();
    for (let i = 0; i < 5; i += 1) client.send('waits');
    await expect(client.refusal).resolves.toEqual(UNAVAILABLE);
    await recover(wire, test.app, acme);
    await (await join('/strict', of('acme'))).ask('tenant');
    expect(test.log.errors.filter((text) => text.includes('not available right now'))).toHaveLength(1);
  });

  if (name === 'ws') {
    it('runs nothing more for a connection that it has refused, though messages go on coming', async () => {
      const client = await join('/open', of('initech'));
      client.deafen!();
      client.send('waits');
      while (!test.app.get(TenantHandshakes).isRefused(desk.client!)) await nextTurn();
      const received = once(desk.client!, 'message');
      client.send('free');
      await received;
      for (let turn = 0; turn < 5; turn += 1) await nextTurn();
      expect(desk.seen).toEqual([]);
    });

    it('shortens a reason that a close frame cannot hold', async () => {
      const client = await join('/strict', { headers: { 'x-broken': 'at length' } });
      await expect(client.refusal).resolves.toEqual({ status: 1011, code: 'Ü'.repeat(41) });
    });
  }

  it('refuses a new connection before it sends anything', async () => {
    await expect((await join('/strict', of('initech'))).refusal).resolves.toEqual(NOT_FOUND);
  });

  it('runs a free handler for nobody, whatever the handshake names', async () => {
    for (const slug of ['acme', 'initech']) {
      const client = await join('/open', of(slug));
      await expect(client.ask('free')).resolves.toEqual({ seen: [null, null, 'TENANT_REQUIRED'] });
    }
  });

  it('runs a free handler while the registry is away', async () => {
    const client = await join('/open', of('acme'));
    wire.cut();
    await expect(client.ask('free')).resolves.toEqual({ seen: [null, null, 'TENANT_REQUIRED'] });
    await recover(wire, test.app, acme);
  });

  it('keeps free messages of a client apart from its others', async () => {
    const client = await join('/open', of('acme'));
    const answers = Array.from({ length: 20 }, (_, i) => client.ask(i % 2 ? 'free' : 'optional'));
    for (const [i, answer] of (await Promise.all(answers)).entries()) {
      expect(answer).toEqual({ seen: i % 2 ? [null, null, 'TENANT_REQUIRED'] : ['acme', 'acme'] });
    }
  });

  it('runs an optional handler with a tenant and without one, but not for a wrong one', async () => {
    await expect((await join('/open', of('acme'))).ask('optional')).resolves.toEqual({
      seen: ['acme', 'acme'],
    });
    await expect((await join('/open')).ask('optional')).resolves.toEqual({ seen: [null, null] });
    const stranger = await join('/open', of('initech'));
    stranger.send('optional');
    await expect(stranger.refusal).resolves.toEqual(NOT_FOUND);
  });

  it('tells nothing of an error that was not made for clients, and goes on', async () => {
    const client = await join('/strict', of('acme'));
    for (const [i, data] of [{}, { sql: `SELECT 'secret' FROM nowhere` }].entries()) {
      const answer = client.ask('fails', data);
      if (tellsErrors) {
        const error = await answer.catch((reason: unknown) => reason);
        expect(error).toMatchObject({ status: 'error', message: 'Internal server error' });
        expect(Object.keys(error as object).sort()).toEqual(['cause', 'message', 'status']);
      }
      while (test.log.errors.length <= i) await client.ask('free');
    }
    await expect(client.ask('tenant')).resolves.toMatchObject({ id: acme.id });
    expect(test.log.errors.filter((text) => /nowhere|1234/.test(text))).toHaveLength(2);
  });

  it('tells that the database went away in the middle of a handler, and keeps the connection', async () => {
    const client = await join('/strict', of('acme'));
    const arrived = new Promise<void>((resolve) => (desk.arrived = resolve));
    let goOn!: () => void;
    desk.mayGoOn = new Promise((resolve) => (goOn = resolve));
    const answer = client.ask('waits');
    const told = tellsErrors
      ? expect(answer).rejects.toEqual({
          code: 'TENANCY_UNAVAILABLE',
          message: expect.stringContaining('not available right now'),
        })
      : undefined;
    await arrived;
    wire.cut();
    goOn();
    await told;
    while (test.log.errors.length === 0) await client.ask('free').catch(() => undefined);
    await recover(wire, test.app, acme);
    expect(test.log.errors).toContainEqual(expect.stringContaining('not available right now'));
    await expect(client.ask('tenant')).resolves.toMatchObject({ id: acme.id });
  });

  it('goes on for the same tenant when the client leaves in the middle, and keeps no connection', async () => {
    const client = await join('/strict', of('globex'));
    const arrived = new Promise<void>((resolve) => (desk.arrived = resolve));
    let goOn!: () => void;
    desk.mayGoOn = new Promise((resolve) => (goOn = resolve));
    client.send('waits');
    await arrived;
    const done = new Promise<void>((resolve) => (desk.arrived = resolve));
    client.drop();
    await client.refusal;
    goOn();
    await done;
    expect(desk.seen).toEqual([['globex', 'of globex']]);
    const others = await join('/strict', of('acme'));
    await Promise.all(Array.from({ length: POOL_SIZE * 2 }, () => others.ask('tenant')));
  });

  it('ends a stream when its client leaves, and lets it clean up for its tenant', async () => {
    const client = await join('/strict', of('globex'));
    const ended = new Promise<void>((resolve) => (desk.arrived = resolve));
    await client.answers('endless', 3);
    client.drop();
    await ended;
    expect(desk.seen).toEqual(['globex']);
  });

  it('without a kept handshake serves nobody on ws, which knows no other way to it', async () => {
    const client = await join('/forgetful', of('acme'));
    if (name === 'socket.io') {
      await expect(client.ask('tenant')).resolves.toMatchObject({ id: acme.id });
    } else {
      client.send('tenant', { n: 1 });
      await expect(client.refusal).resolves.toEqual({ status: 1011, code: 'HANDSHAKE_UNKNOWN' });
      expect(test.log.errors).toContainEqual(
        expect.stringContaining('TenantHandshakes.accept(client, request)'),
      );
    }
  });

  it('without the interceptor serves nobody, and says what is missing', async () => {
    const client = await join('/bare', of('acme'));
    const answer = client.ask('tenant');
    answer.catch(() => undefined);
    while (test.log.errors.length === 0) await (await join('/open')).ask('optional');
    expect(test.log.errors).toContainEqual(expect.stringContaining('@UseInterceptors(TenantInterceptor)'));
    if (tellsErrors)
      await expect(client.ask('free')).rejects.toMatchObject({ message: 'Internal server error' });
  });
});
