import { once } from 'node:events';
import { ApolloDriver } from '@nestjs/apollo';
import { Module } from '@nestjs/common';
import {
  Args,
  Context,
  Field,
  GraphQLModule,
  type GqlModuleOptions,
  Int,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { WebSocket } from 'ws';
import {
  CurrentTenant,
  fromHeader,
  TenancyModule,
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantFree,
  TenantLifecycle,
  TenantTransaction,
} from '../../lib';
import {
  ApiKeys,
  CurrentPrincipal,
  fromApiKey,
  type Principal,
  Public,
  RequireScopes,
  TenancyAccessModule,
} from '../../lib/access';
import { TenancyThrottlingModule } from '../../lib/throttling';
import { Metered, TenancyUsageModule } from '../../lib/usage';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { GRAPHQL_SERVERS, type GraphqlServer } from '../support/graphql-servers';
import { Note, notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';

/** Rows with one primary key in every tenant, and whose they are. */
@ObjectType('Note')
class NoteType {
  @Field(() => Int)
  id!: number;

  @Field(() => String)
  text!: string;
}

@Resolver(() => NoteType)
class NotesResolver {
  constructor(
    private readonly connection: TenantConnection,
    private readonly context: TenantContext,
  ) {}

  @Query(() => [NoteType])
  @RequireScopes('notes:read')
  notes() {
    return this.connection.getRepository(Note).find({ order: { id: 'ASC' } });
  }

  /** Asks on its own, after the query has been answered. */
  @ResolveField(() => String)
  async tenant(@Parent() { id }: NoteType, @CurrentTenant('slug') slug: string) {
    const note = await this.connection.getRepository(Note).findOneByOrFail({ id });
    return `${slug} ${this.context.tenant().slug} ${note.text}`;
  }

  /** Nest runs no filter for it. */
  @ResolveField(() => String)
  async failing(@Parent() { id }: NoteType) {
    await this.connection.query(`SELECT 'a secret ${id}' FROM nowhere`);
    return '';
  }

  @ResolveField(() => String)
  misused() {
    return this.context.runAsSystem(() => this.context.tenant().slug);
  }

  @Mutation(() => NoteType)
  @RequireScopes('notes:write')
  @TenantTransaction()
  @Metered('notes')
  async addNote(@Args('text', { type: () => String }) text: string, @CurrentTenant() tenant: Tenant) {
    const notes = this.connection.getRepository(Note);
    const note = await notes.save({ text: `${text} of ${tenant.slug}` });
    if (text === 'refused') throw new Error('refused');
    return note;
  }

  @Query(() => String)
  who(@CurrentPrincipal() principal: Principal, @CurrentTenant('slug') slug: string) {
    return `${principal.type} ${slug}`;
  }

  @Query(() => String)
  async broken() {
    await this.connection.query("SELECT 'a secret' FROM nowhere");
    return '';
  }

  @Query(() => String)
  @Public()
  @TenantFree()
  health(@CurrentTenant() tenant: Tenant | undefined) {
    return `${tenant?.slug ?? 'nobody'} ${this.context.find()?.slug ?? 'nobody'}`;
  }

  @Query(() => String)
  @Public()
  open(@CurrentTenant('slug') slug: string) {
    return slug;
  }

  @Subscription(() => String)
  @Public()
  watched(@Context() _context: unknown) {
    throw new Error('nobody gets here');
  }
}

/** As each of the two servers calls it. */
const SUBSCRIPTIONS = { subscription: true, subscriptions: { 'graphql-ws': true } };

const LIMIT = 10_000;

function graphqlApp(
  database: TestDatabase,
  [, adapter, driver]: GraphqlServer,
  options: Partial<GqlModuleOptions> = {},
): Promise<TestApp> {
  @Module({ providers: [NotesResolver] })
  class NotesModule {}

  const window = (limit: number) => ({ minute: { limit, windowMs: 60_000 } });
  return startTestApp(
    {
      imports: [
        TenancyModule.forRoot(
          notesOptions(database, { resolvers: [fromHeader('x-tenant-id'), fromApiKey()] }),
        ),
        TenancyAccessModule.forRoot(),
        TenancyThrottlingModule.forRoot({
          plans: { all: window(LIMIT), few: window(2) },
          defaultPlan: 'all',
        }),
        TenancyUsageModule.forRoot({
          plans: { all: {}, few: { notes: { limit: 1, per: 'month', hard: true } } },
          defaultPlan: 'all',
        }),
        GraphQLModule.forRoot({ driver, autoSchemaFile: true, ...SUBSCRIPTIONS, ...options }),
        NotesModule,
      ],
    },
    { adapter: adapter() },
  );
}

interface Answer {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly { readonly message: string; readonly extensions?: Record<string, unknown> }[];
  readonly headers: Headers;
}

async function ask(app: TestApp, query: string, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query }),
  });
  return { ...((await response.json()) as Answer), headers: response.headers };
}

/** All that comes to one operation over a WebSocket (protocol graphql-transport-ws). */
async function askBySocket(app: TestApp, query: string, headers: Record<string, string>): Promise<unknown> {
  const socket = new WebSocket(`${app.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    headers,
  });
  await once(socket, 'open');
  const received: { type: string }[] = [];
  const ended = new Promise<void>((resolve) => {
    socket.on('message', (text: Buffer) => {
      const message = JSON.parse(text.toString()) as { type: string };
      received.push(message);
      if (message.type === 'connection_ack')
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
      if (message.type === 'error' || message.type === 'complete') resolve();
    });
    socket.on('close', () => resolve());
  });
  socket.send(JSON.stringify({ type: 'connection_init', payload: headers }));
  await ended;
  socket.terminate();
  return received;
}

const refused = (code: string) =>
  expect.objectContaining({
    errors: [expect.objectContaining({ extensions: expect.objectContaining({ code }) })],
  });

describe.each(GRAPHQL_SERVERS)('GraphQL by %s', (...server) => {
  let database: TestDatabase;
  let app: TestApp;
  let acme: Tenant;
  const keys: Record<string, Record<string, string>> = {};

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await graphqlApp(database, server);
    for (const [slug, plan] of [
      ['acme', 'all'],
      ['globex', 'all'],
      ['hooli', 'all'],
      ['initech', 'few'],
    ]) {
      const tenant = await app.create({ slug, metadata: { plan } });
      if (slug === 'acme') acme = tenant;
      await database.query(`INSERT INTO ${tenant.schemaName}.note (text) VALUES ('of ${slug}')`);
      keys[slug] = await keyOf(tenant, ['notes:*']);
    }
    await app.app.get(TenantLifecycle).suspend('hooli');
  });
  afterAll(async () => {
    await app?.close();
    await database?.drop();
  });

  async function keyOf({ id }: Tenant, scopes: string[]): Promise<Record<string, string>> {
    const { key } = await app.app.get(ApiKeys).create(id, { name: 'test', scopes });
    return { 'x-api-key': key };
  }

  it('serves queries and fields for the tenant of the request', async () => {
    const { data } = await ask(app, '{ notes { id text tenant } who }', keys.acme);
    expect(data).toEqual({
      notes: [{ id: 1, text: 'of acme', tenant: 'acme acme of acme' }],
      who: 'api_key acme',
    });
  });

  it('never mixes two tenants that ask at once', async () => {
    const wrong: unknown[] = [];
    await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const slug = n % 2 ? 'acme' : 'globex';
        const { data } = await ask(app, '{ a: notes { tenant } b: notes { text } who }', keys[slug]);
        const text = JSON.stringify(data);
        if (!text.includes(`${slug} ${slug} of ${slug}`) || text.includes(n % 2 ? 'globex' : 'acme'))
          wrong.push(data);
      }),
    );
    expect(wrong).toEqual([]);
  });

  it('keeps what a mutation did, and nothing of one that failed', async () => {
    const add = (text: string) => ask(app, `mutation { addNote(text: "${text}") { text } }`, keys.globex);
    await expect(add('kept')).resolves.toMatchObject({ data: { addNote: { text: 'kept of globex' } } });
    await expect(add('refused')).resolves.toMatchObject({ errors: [{ message: 'refused' }] });
    const { data } = await ask(app, '{ notes { text } }', keys.globex);
    expect(data).toEqual({ notes: [{ text: 'of globex' }, { text: 'kept of globex' }] });
  });

  it('lets nobody in without a credential, and says its code', async () => {
    const answer = await ask(app, '{ notes { text } }', { 'x-tenant-id': 'acme' });
    expect(answer).toEqual(refused('UNAUTHENTICATED'));
    expect(answer.data?.notes).toBeUndefined();
    expect(answer.errors?.[0].extensions).toMatchObject({ statusCode: 401 });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  it('obeys @RequireScopes', async () => {
    const reader = await keyOf(acme, ['notes:read']);
    await expect(ask(app, 'mutation { addNote(text: "x") { text } }', reader)).resolves.toEqual(
      refused('SCOPE_MISSING'),
    );
    await expect(ask(app, '{ notes { text } }', reader)).resolves.toMatchObject({
      data: { notes: [{ text: 'of acme' }] },
    });
  });

  it.each([
    ['of an unknown tenant', { 'x-tenant-id': 'nobody' }, 'TENANT_NOT_FOUND'],
    ['of a suspended one', { 'x-tenant-id': 'hooli' }, 'TENANT_NOT_ACTIVE'],
    ['of none', {}, 'TENANT_MISSING'],
  ])('refuses a request %s', async (_whose, headers, code) => {
    await expect(ask(app, '{ open }', headers)).resolves.toEqual(refused(code));
  });

  it('refuses a credential of another tenant', async () => {
    await expect(ask(app, '{ open }', { ...keys.acme, 'x-tenant-id': 'globex' })).resolves.toEqual(
      refused('TENANT_MISMATCH'),
    );
  });

  it('counts each query under the rate limit, and each mutation under the quota', async () => {
    const first = await ask(app, 'mutation { addNote(text: "1") { id } }', keys.initech);
    expect(first.headers.get('ratelimit-remaining')).toBe('1');
    await expect(ask(app, 'mutation { addNote(text: "2") { id } }', keys.initech)).resolves.toEqual(
      refused('QUOTA_EXCEEDED'),
    );
    const third = await ask(app, '{ who }', keys.initech);
    expect(third).toEqual(refused('RATE_LIMITED'));
    expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('runs what belongs to nobody for nobody, and in a request of its own', async () => {
    await expect(ask(app, '{ health }', keys.acme)).resolves.toMatchObject({
      data: { health: 'nobody nobody' },
    });
    for (const query of ['{ health open }', '{ open health }'])
      await expect(ask(app, query, keys.acme)).resolves.toEqual(refused('OPERATION_MIXED'));
  });

  it.each(['{ broken }', '{ notes { failing } }'])(
    'tells nothing of SQL that failed in %s',
    async (query) => {
      app.log.errors.length = 0;
      const answer = await ask(app, query, keys.acme);
      expect(answer.errors).toEqual([expect.objectContaining({ message: 'Internal server error' })]);
      expect(JSON.stringify(answer.errors?.map(({ message }) => message))).not.toMatch(/secret|nowhere/);
      expect(app.log.errors).toEqual([expect.stringContaining('nowhere')]);
    },
  );

  it('tells of a mistake in a field its code only', async () => {
    app.log.errors.length = 0;
    const answer = await ask(app, '{ notes { misused } }', keys.acme);
    expect(answer).toEqual(refused('TENANT_REQUIRED'));
    expect(answer.errors).toEqual([expect.objectContaining({ message: 'Internal server error' })]);
    expect(app.log.errors).toHaveLength(1);
  });

  it('refuses what comes over a WebSocket, subscriptions and queries, until it knows how to serve it', async () => {
    for (const [query, refusal] of [
      ['subscription { watched }', /TRANSPORT_UNKNOWN/],
      // Mercurius itself takes nothing but subscriptions there.
      ['{ notes { text } }', /TENANT_REQUIRED|Invalid operation/],
      ['{ open }', /TENANT_REQUIRED|Invalid operation/],
    ] as const) {
      const answers = JSON.stringify(await askBySocket(app, query, { ...keys.acme, 'x-tenant-id': 'acme' }));
      expect(answers).toMatch(refusal);
      expect(answers).not.toContain('of acme');
    }
  });

  it('takes no caller for another where all requests share one context', async () => {
    // One object for all, with what the first request has put into it.
    const shared: { req?: object } = {};
    const context = (request: { req?: object }) => {
      shared.req ??= request.req ?? request;
      return shared;
    };
    const sharing = await graphqlApp(database, server, { context });
    try {
      await ask(sharing, '{ notes { tenant } }', keys.globex);
      const answers = await Promise.all(
        Array.from({ length: 20 }, async (_, n) => {
          const headers = n % 2 ? { 'x-tenant-id': 'acme' } : keys.globex;
          return { headers, answer: await ask(sharing, '{ notes { tenant } }', headers) };
        }),
      );
      for (const { headers, answer } of answers) {
        if (server[2] === ApolloDriver) {
          expect(answer).toEqual(refused('TENANT_REQUIRED'));
          expect(JSON.stringify(answer.errors)).not.toContain('middleware');
        }
        const texts = JSON.stringify(answer.data ?? null);
        expect(texts).not.toContain('acme');
        if (headers !== keys.globex) expect(texts).not.toContain('globex');
      }
    } finally {
      await sharing.close();
    }
  });
});
