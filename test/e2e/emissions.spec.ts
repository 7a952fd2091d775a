import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Server } from 'node:net';
import { Controller, Injectable, Post, Sse, UseInterceptors } from '@nestjs/common';
import { ClientProxyFactory, MessagePattern, Transport } from '@nestjs/microservices';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  concatMap,
  filter,
  firstValueFrom,
  map,
  merge,
  type Observable,
  shareReplay,
  Subject,
  take,
} from 'rxjs';
import {
  forSubscriber,
  TenancyModule,
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantFree,
  TenantTransaction,
} from '../../lib';
import {
  fromPayload,
  TenancyTransportsModule,
  TenantHandshakes,
  TenantInterceptor,
} from '../../lib/transports';
import type { IncomingMessage } from 'node:http';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Note, notesOptions } from '../support/notes';
import { ADAPTERS } from '../support/sample-app';
import { SOCKET_KINDS } from '../support/socket-clients';
import { startTestApp, type TestApp } from '../support/test-app';

/** What all subscribers of all tenants share. */
@Injectable()
class Feed {
  readonly bus = new Subject<string>();
  /** Whoever replays it never stops listening. */
  readonly happened = new Subject<string>();

  constructor(
    private readonly connection: TenantConnection,
    private readonly context: TenantContext,
  ) {}

  /** The rows of whoever it runs for. */
  readonly texts = async (): Promise<{ data: string }> => {
    const notes = await this.connection.getRepository(Note).find();
    return { data: `${notes.map(({ text }) => text).join()} ${this.context.tenant().slug}` };
  };

  unsafe(): Observable<{ data: string }> {
    return this.bus.pipe(concatMap(this.texts));
  }

  /** Replays what happened, not anybody's rows. */
  readonly replayed = this.happened.pipe(shareReplay(1), forSubscriber(), concatMap(this.texts));

  safe(): Observable<{ data: string }> {
    return this.bus.pipe(forSubscriber(), concatMap(this.texts));
  }

  /** Of several sources, one of which is shared. */
  merged(): Observable<{ data: string }> {
    return merge(new Subject<string>(), this.bus.pipe(forSubscriber())).pipe(concatMap(this.texts));
  }

  /** Without the line, but only what its own tenant emits. */
  own(): Observable<{ data: string }> {
    const { slug } = this.context.tenant();
    return this.bus.pipe(
      filter((emitter) => emitter === slug),
      concatMap(this.texts),
    );
  }
}

const KINDS = ['unsafe', 'safe', 'merged', 'own'] as const;
type Kind = (typeof KINDS)[number];

@WebSocketGateway({ path: '/live' })
@UseInterceptors(TenantInterceptor)
class FeedGateway {
  constructor(
    private readonly feed: Feed,
    private readonly handshakes: TenantHandshakes,
  ) {}

  async handleConnection(client: object, request: IncomingMessage): Promise<void> {
    await this.handshakes.accept(client, request);
  }

  @SubscribeMessage('watch')
  watch(@MessageBody() { kind, n }: { kind: Kind; n: number }) {
    return this.feed[kind]().pipe(
      take(1),
      map(({ data }) => ({ event: 'watch', data: { text: data, n } })),
    );
  }
}

@Controller()
@UseInterceptors(TenantInterceptor)
class FeedMessages {
  constructor(private readonly feed: Feed) {}

  @MessagePattern('watch')
  watch({ kind }: { kind: Kind }) {
    return this.feed[kind]().pipe(take(1));
  }

  @MessagePattern('public')
  @TenantFree()
  forAll() {
    return this.feed.unsafe();
  }

  @MessagePattern('transaction')
  @TenantTransaction()
  inTransaction() {
    return this.feed.unsafe().pipe(take(1));
  }
}

@Controller()
class FeedController {
  constructor(
    private readonly feed: Feed,
    private readonly context: TenantContext,
  ) {}

  @Sse('unsafe')
  unsafe() {
    return this.feed.unsafe();
  }

  @Sse('safe')
  safe() {
    return this.feed.safe();
  }

  @Sse('merged')
  merged() {
    return this.feed.merged();
  }

  @Sse('replayed')
  replayed() {
    return this.feed.replayed.pipe(take(1));
  }

  @Sse('own')
  own() {
    return this.feed.own();
  }

  @Post('emit')
  emit() {
    const { slug } = this.context.tenant();
    this.feed.bus.next(slug);
    this.feed.happened.next(slug);
  }
}

describe.each(ADAPTERS)('an Observable over a source that tenants share, on %s', (_platform, adapter) => {
  const [ws] = SOCKET_KINDS;
  let database: TestDatabase;
  let app: TestApp;
  let feed: Feed;
  let port: number;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await startTestApp(
      {
        imports: [
          TenancyModule.forRoot(notesOptions(database)),
          TenancyTransportsModule.forRoot({ tenantOf: fromPayload('tenant') }),
        ],
        controllers: [FeedMessages, FeedController],
        providers: [Feed, FeedGateway],
      },
      { adapter: adapter(), prepare: (nest) => nest.useWebSocketAdapter(ws.adapter(nest)) },
    );
    const service = app.app.connectMicroservice({
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port: 0 },
    });
    await app.app.startAllMicroservices();
    ({ port } = service.unwrap<Server>().address() as { port: number });
    feed = app.app.get(Feed);
    for (const slug of ['acme', 'globex']) {
      const { schemaName }: Tenant = await app.create({ slug });
      await database.query(`INSERT INTO ${schemaName}.note (text) VALUES ('rows of ${slug}')`);
    }
  });
  afterAll(async () => {
    await app?.close();
    await database?.drop();
  });

  /** Emits in a request of each of these tenants, as soon as somebody listens. */
  async function emit(...tenants: string[]): Promise<void> {
    await until(() => feed.bus.observed);
    for (const slug of tenants)
      await fetch(`${app.url}/emit`, { method: 'POST', headers: { 'x-tenant-id': slug } });
  }

  /** The first that comes to a client of acme's, by each transport: what was sent, or why nothing was. */
  const transports: Record<string, (kind: Kind) => Promise<string>> = {
    WebSocket: async (kind) => {
      const client = await ws.connect(app.url, '/live', { headers: { 'x-tenant-id': 'acme' } });
      const answer = client.ask('watch', { kind }).then(JSON.stringify, JSON.stringify);
      return answer.finally(() => client.drop());
    },
    TCP: (kind) => overTcp('watch', { tenant: 'acme', kind }),
    SSE: async (kind) => {
      const abort = new AbortController();
      const response = await fetch(`${app.url}/${kind}`, {
        headers: { 'x-tenant-id': 'acme', accept: 'text/event-stream' },
        signal: abort.signal,
      });
      let text = '';
      for await (const chunk of response.body!) {
        text += Buffer.from(chunk as Uint8Array).toString();
        if (text.includes('data:')) break;
      }
      abort.abort();
      return text;
    },
  };

  async function until(isSo: () => boolean): Promise<void> {
    for (const end = Date.now() + 30_000; !isSo(); await nextTurn())
      if (Date.now() > end) throw new Error('it did not come to that in 30 s');
  }

  async function overTcp(pattern: string, payload: object): Promise<string> {
    const client = ClientProxyFactory.create({
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port },
    });
    const answer = firstValueFrom(client.send<unknown>(pattern, payload)).then(
      JSON.stringify,
      JSON.stringify,
    );
    return answer.finally(() => client.close());
  }

  describe.each(Object.keys(transports))('by %s', (transport) => {
    const first = async (kind: Kind, ...emitters: string[]): Promise<string> => {
      await until(() => !feed.bus.observed);
      const answer = transports[transport](kind);
      await emit(...emitters);
      return answer;
    };

    it.each(['safe', 'merged'] as const)(
      'runs for its subscriber behind forSubscriber(): %s',
      async (kind) => {
        for (const emitter of ['globex', 'acme']) {
          const answer = await first(kind, emitter);
          expect(answer).toContain('rows of acme acme');
          expect(answer).not.toContain('globex');
        }
      },
    );

    it('is refused without that line, when another tenant emits', async () => {
      app.log.errors.length = 0;
      const answering = first('unsafe', 'globex');
      await until(() => app.log.errors.some((text) => text.includes('bus.pipe(forSubscriber(), ')));
      // Nest 11 tells clients of `ws` of no error.
      if (transport === 'WebSocket' && !ws.tellsErrors) return;
      const answer = await answering;
      expect(answer).not.toContain('rows of');
      expect(answer).toMatch(transport === 'SSE' ? /forSubscriber\(\)/ : /FOREIGN_EMISSION/);
    });

    it('is served without that line, when it lets nothing through but what its own tenant emits', async () => {
      await expect(first('own', 'globex', 'acme')).resolves.toContain('rows of acme acme');
    });
  });

  it('runs for each of its subscribers when it is replayed before forSubscriber(), as the documents say', async () => {
    const read = async (slug: string) =>
      (await fetch(`${app.url}/replayed`, { headers: { 'x-tenant-id': slug } })).text();
    const waiting = read('acme');
    await until(() => feed.happened.observed);
    await fetch(`${app.url}/emit`, { method: 'POST', headers: { 'x-tenant-id': 'globex' } });
    await expect(waiting).resolves.toContain('rows of acme acme');
    for (const slug of ['globex', 'acme'])
      await expect(read(slug)).resolves.toContain(`rows of ${slug} ${slug}`);
  });

  it.each(['transaction', 'public'])('is refused in a handler that is marked %s', async (pattern) => {
    await until(() => !feed.bus.observed);
    const answer = overTcp(pattern, { tenant: 'acme' });
    await emit('globex');
    await expect(answer).resolves.toContain('FOREIGN_EMISSION');
  });
});
