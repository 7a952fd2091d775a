import { EventEmitter, on } from 'node:events';
import { maxHeaderSize } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { ApolloDriver } from '@nestjs/apollo';
import { Injectable, Module } from '@nestjs/common';
import {
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
import {
  CurrentTenant,
  fromHeader,
  TenancyModule,
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantFree,
  TenantLifecycle,
  TenantTransactions,
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
import { workOf } from '../../lib/context/tenant-context';
import { TenancyGraphqlModule, tenantLoader, TenantSubscriptions, TenantTopics } from '../../lib/graphql';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { GraphqlSocket, type Message } from '../support/graphql-socket';
import { GRAPHQL_SERVERS } from '../support/graphql-servers';
import { Note, notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';

/** What is emitted: a topic of a tenant, and the id of a note. */
const bus = new EventEmitter().setMaxListeners(0);

@ObjectType('Note')
class NoteType {
  @Field(() => Int)
  id!: number;
}

@Injectable()
class NoteTexts {
  /** The keys of each batch, and for whom it ran. */
  readonly batches: string[] = [];
  readonly texts = tenantLoader<number, string>(this.context, async (ids) => {
    this.batches.push(`${this.context.tenant().slug} ${ids.join(' ')}`);
    const notes = await this.connection.getRepository(Note).find();
    return ids.map((id) => notes.find((note) => note.id === id)?.text ?? new Error(`no note ${id}`));
  });

  constructor(
    private readonly context: TenantContext,
    private readonly connection: TenantConnection,
  ) {}
}

@Resolver(() => NoteType)
class NotesResolver {
  constructor(
    private readonly texts: NoteTexts,
    private readonly topics: TenantTopics,
    private readonly connection: TenantConnection,
  ) {}

  @Query(() => [NoteType])
  notes() {
    return [{ id: 1 }, { id: 2 }, { id: 1 }];
  }

  @Mutation(() => Int)
  note(): number {
    bus.emit(this.topics.of('noted'), { id: 1 });
    return 1;
  }

  @Subscription(() => String)
  async *broken() {
    await this.connection.query(`SELECT 'a secret' FROM nowhere`);
    yield { broken: 'never' };
  }

  @Subscription(() => NoteType, { resolve: ([note]: [NoteType]) => note })
  @RequireScopes('notes:read')
  noted() {
    return on(bus, this.topics.of('noted'));
  }

  @Subscription(() => String, { resolve: ([text]: [string]) => text })
  @Public()
  @TenantFree()
  news() {
    return on(bus, 'news');
  }

  @ResolveField(() => String)
  text(@Parent() { id }: NoteType) {
    return this.texts.texts.load(id);
  }

  @ResolveField(() => String)
  whose(@CurrentTenant('slug') slug: string, @CurrentPrincipal() principal: Principal) {
    return `${slug} ${principal.type}`;
  }
}

function subscriptionsOf(tenants: TenantSubscriptions, driver: GqlModuleOptions['driver']): GqlModuleOptions {
  const options =
    driver === ApolloDriver
      ? { subscriptions: { 'graphql-ws': tenants.graphqlWs() } }
      : { subscription: { ...tenants.mercurius(), fullWsTransport: true } };
  return { autoSchemaFile: true, ...options } as GqlModuleOptions;
}

const NOTED = 'subscription { noted { id text whose } }';

describe.each(GRAPHQL_SERVERS)('subscriptions by %s', (_name, adapter, driver) => {
  let database: TestDatabase;
  let app: TestApp;
  const tenants: Record<string, Tenant> = {};
  const keys: Record<string, Record<string, string>> = {};
  const open: GraphqlSocket[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    @Module({ providers: [NotesResolver, NoteTexts], exports: [NoteTexts] })
    class NotesModule {}
    app = await startTestApp(
      {
        imports: [
          TenancyModule.forRoot(
            notesOptions(database, {
              resolvers: [fromHeader('x-tenant-id'), fromHeader('x-other-tenant'), fromApiKey()],
            }),
          ),
          TenancyAccessModule.forRoot(),
          TenancyGraphqlModule.forRoot({ headers: ['x-api-key', 'x-tenant-id'] }),
          GraphQLModule.forRootAsync({
            driver,
            inject: [TenantSubscriptions],
            useFactory: (subscriptions: TenantSubscriptions) => subscriptionsOf(subscriptions, driver),
          }),
          NotesModule,
        ],
      },
      { adapter: adapter() },
    );
    for (const slug of ['acme', 'globex', 'hooli', 'initech']) {
      tenants[slug] = await app.create({ slug });
      await database.query(
        `INSERT INTO ${tenants[slug].schemaName}.note (text) VALUES ('1 of ${slug}'), ('2 of ${slug}')`,
      );
      keys[slug] = await keyOf(slug, ['notes:*']);
    }
  });
  afterAll(async () => {
    await app?.close();
    await database?.drop();
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((client) => client.close()));
  });

  async function keyOf(slug: string, scopes: string[]): Promise<Record<string, string>> {
    const { key } = await app.app.get(ApiKeys).create(tenants[slug].id, { name: 'test', scopes });
    return { 'x-api-key': key };
  }

  async function connect(options: Parameters<typeof GraphqlSocket.open>[1]): Promise<GraphqlSocket> {
    const client = await GraphqlSocket.open(app.url, options);
    open.push(client);
    return client;
  }

  const topicOf = (slug: string) => `${tenants[slug].schemaName}:noted`;

  /** Emits until somebody listens: a subscription begins some time after it was asked for. */
  async function emit(slug: string, note: object): Promise<void> {
    while (bus.listenerCount(topicOf(slug)) === 0) await wait(5);
    bus.emit(topicOf(slug), note);
  }

  it('sends each tenant what happens in it, with rows of its own', async () => {
    const clients = await Promise.all(
      ['acme', 'globex', 'acme', 'globex'].map(async (slug) => {
        const client = await connect({ headers: keys[slug] });
        return { slug, client, id: client.ask(NOTED) };
      }),
    );
    while (['acme', 'globex'].some((slug) => bus.listenerCount(topicOf(slug)) < 2)) await wait(5);
    await Promise.all([emit('acme', { id: 1 }), emit('globex', { id: 2 }), emit('acme', { id: 2 })]);
    for (const { slug, client, id } of clients) {
      const ids = slug === 'acme' ? [1, 2] : [2];
      const next = ({ type }: Message) => type === 'next';
      await client.until(() => client.received.filter(next).length >= ids.length);
      expect(client.received.filter(next)).toEqual(
        ids.map((note) => ({
          id,
          type: 'next',
          payload: { data: { noted: { id: note, text: `${note} of ${slug}`, whose: `${slug} api_key` } } },
        })),
      );
    }
  });

  it('serves queries and mutations over the same socket', async () => {
    const client = await connect({ headers: keys.globex });
    await expect(client.answer('{ notes { id text whose } }')).resolves.toEqual({
      data: {
        notes: [1, 2, 1].map((id) => ({ id, text: `${id} of globex`, whose: 'globex api_key' })),
      },
    });
    const id = client.ask(NOTED);
    while (bus.listenerCount(topicOf('globex')) === 0) await wait(5);
    await expect(client.answer('mutation { note }')).resolves.toEqual({ data: { note: 1 } });
    await expect(client.until((each) => each.id === id)).resolves.toMatchObject({
      payload: { data: { noted: { text: '1 of globex' } } },
    });
  });

  it('reads the credential of a browser from what opens the connection', async () => {
    const client = await connect({ payload: keys.acme });
    client.ask(NOTED);
    await emit('acme', { id: 1 });
    await expect(client.until(({ type }) => type === 'next')).resolves.toMatchObject({
      payload: { data: { noted: { whose: 'acme api_key' } } },
    });
  });

  it.each([
    ['no credential', {}, 'UNAUTHENTICATED'],
    ['no credential, but a name', { headers: { 'x-tenant-id': 'acme' } }, 'UNAUTHENTICATED'],
    ['an unknown key', { headers: { 'x-api-key': 'nonsense' } }, 'API_KEY_MALFORMED'],
    ['an unknown key later', { payload: { 'X-API-Key': 'nonsense' } }, 'API_KEY_MALFORMED'],
    ['what is no text', { payload: { 'x-api-key': ['a'], 'x-tenant-id': 7 } }, 'UNAUTHENTICATED'],
  ])('refuses a subscription with %s', async (_what, options, code) => {
    const client = await connect(options);
    expect(JSON.stringify(await client.answer(NOTED))).toContain(code);
    expect(bus.listenerCount(topicOf('acme'))).toBe(0);
  });

  it('refuses a key without the scope, and one that is not for the tenant that is named', async () => {
    const reader = await connect({ headers: await keyOf('acme', ['other:read']) });
    expect(JSON.stringify(await reader.answer(NOTED))).toContain('SCOPE_MISSING');
    for (const options of [
      { headers: { ...keys.acme, 'x-tenant-id': 'globex' } },
      { headers: keys.acme, payload: { 'x-tenant-id': 'globex' } },
    ]) {
      const stranger = await connect(options);
      expect(JSON.stringify(await stranger.answer(NOTED))).toContain('TENANT_MISMATCH');
    }
  });

  it('takes two keys for none', async () => {
    const client = await connect({ headers: keys.acme, payload: keys.globex });
    expect(JSON.stringify(await client.answer(NOTED))).toMatch(/API_KEY_MALFORMED|CREDENTIALS_AMBIGUOUS/);
  });

  it('runs what belongs to nobody for nobody, over a socket of its own', async () => {
    const client = await connect({ headers: keys.acme });
    const id = client.ask('subscription { news }');
    while (bus.listenerCount('news') === 0) await wait(5);
    bus.emit('news', 'of all');
    await expect(client.until((each) => each.id === id)).resolves.toMatchObject({
      payload: { data: { news: 'of all' } },
    });
    expect(JSON.stringify(await client.answer(NOTED))).toContain('OPERATION_MIXED');
  });

  it('sends nothing more to a tenant that was suspended, and closes', async () => {
    const client = await connect({ headers: keys.hooli });
    client.ask(NOTED);
    await emit('hooli', { id: 1 });
    await client.until(({ type }) => type === 'next');
    await app.app.get(TenantLifecycle).suspend('hooli');
    await emit('hooli', { id: 2 });
    await expect(client.closed).resolves.toBe('1008 TENANT_NOT_ACTIVE');
    expect(client.received.filter(({ type }) => type === 'next')).toHaveLength(1);
    // Its end is felt by the source, too.
    while (bus.listenerCount(topicOf('hooli')) > 0) await wait(5);
  });

  it('closes when the key that opened it is revoked', async () => {
    const apiKeys = app.app.get(ApiKeys);
    const { key, id } = await apiKeys.create(tenants.acme.id, { name: 'gone', scopes: ['notes:read'] });
    const client = await connect({ headers: { 'x-api-key': key } });
    client.ask(NOTED);
    await emit('acme', { id: 1 });
    await client.until(({ type }) => type === 'next');
    await apiKeys.revoke(tenants.acme.id, id);
    await emit('acme', { id: 2 });
    await expect(client.closed).resolves.toBe('1008 API_KEY_REVOKED');
    expect(client.received.filter(({ type }) => type === 'next')).toHaveLength(1);
  });

  it('gathers keys of one request, never of two tenants, and reads anew for each event', async () => {
    const { batches } = app.app.get(NoteTexts, { strict: false });
    batches.length = 0;
    const ask = (slug: string) =>
      fetch(`${app.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...keys[slug] },
        body: JSON.stringify({ query: '{ notes { text } }' }),
      }).then((response) => response.text());
    const answers = await Promise.all(['acme', 'globex', 'acme', 'globex'].map(ask));
    expect(answers.map((each) => each.includes('1 of acme'))).toEqual([true, false, true, false]);
    expect(batches.sort()).toEqual(['acme 1 2', 'acme 1 2', 'globex 1 2', 'globex 1 2']);

    const client = await connect({ headers: keys.initech });
    const id = client.ask(NOTED);
    for (const text of ['changed', 'changed again']) {
      await database.query(`UPDATE ${tenants.initech.schemaName}.note SET text = $1`, [text]);
      await emit('initech', { id: 1 });
      await expect(
        client.until((each) => each.id === id && JSON.stringify(each.payload).includes(`"${text}"`)),
      ).resolves.toBeDefined();
    }
  });

  it('gathers nothing of a transaction with what is read outside of it', async () => {
    const context = app.app.get(TenantContext);
    const transactions = app.app.get(TenantTransactions);
    const connection = app.app.get(TenantConnection);
    const { texts } = app.app.get(NoteTexts, { strict: false });
    const written = (end: () => void) =>
      transactions.run(async () => {
        await connection.query(`UPDATE note SET text = 'written' WHERE id = 2`);
        const text = await texts.load(2);
        end();
        return text;
      });
    await context.run(tenants.globex, async () => {
      const failed = written(() => {
        throw new Error('rolled back');
      });
      await expect(failed).rejects.toThrow('rolled back');
      await expect(texts.load(2)).resolves.toBe('2 of globex');
      // What was read before is forgotten there, too.
      await expect(written(() => texts.clear(2))).resolves.toBe('written');
      await expect(texts.load(2)).resolves.toBe('written');
    });
    await context.run(tenants.globex, async () => {
      let inside: Promise<string> | undefined;
      const both = await transactions.run(async () => {
        await connection.query(`UPDATE note SET text = 'again' WHERE id = 2`);
        const outside = context.runInFrame({ tenant: tenants.globex, work: workOf(context.frame()!) }, () =>
          texts.load(2),
        );
        inside = texts.load(2);
        return Promise.all([outside, inside]);
      });
      expect(both).toEqual(['written', 'again']);
    });
  });

  it('tells nothing of SQL that failed in a source', async () => {
    app.log.errors.length = 0;
    const client = await connect({ headers: keys.acme });
    const answer = JSON.stringify(await client.answer('subscription { broken }'));
    expect(answer).toContain('Internal server error');
    expect(answer).not.toMatch(/secret|nowhere/);
    expect(app.log.errors).toEqual([expect.stringContaining('nowhere')]);
  });

  it('takes no other field for a header than those of the option', async () => {
    const client = await connect({ headers: keys.acme, payload: { 'x-other-tenant': 'globex' } });
    client.ask(NOTED);
    await emit('acme', { id: 1 });
    expect(JSON.stringify(await client.answer('{ notes { whose } }'))).toContain('acme api_key');
  });

  it.each([
    ['too long', { 'x-api-key': 'k'.repeat(maxHeaderSize) }],
    [
      'in parts too long',
      { 'x-api-key': 'k'.repeat(maxHeaderSize / 2), 'X-API-key': 'k'.repeat(maxHeaderSize / 2) },
    ],
    ['of two lines', { 'x-tenant-id': 'acme\r\nx-api-key: k' }],
  ])('refuses the connection for a header that is %s', async (_how, payload) => {
    const client = await connect({ payload });
    await client.closed;
    expect(client.received.map(({ type }) => type)).not.toContain('connection_ack');
  });

  it('opens a connection once', async () => {
    const client = await connect({ headers: keys.acme });
    client.init({ payload: keys.globex });
    await expect(client.closed).resolves.toMatch('4429');
  });

  it('answers what is asked all at once over one socket', async () => {
    const client = await connect({ headers: keys.acme });
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        n % 2 ? client.answer('{ notes { text } }') : client.answer('{ notes { whose } }'),
      ),
    );
    for (const [n, answer] of answers.entries())
      expect(JSON.stringify(answer)).toContain(n % 2 ? '1 of acme' : 'acme api_key');
  });
});

it('takes no map that all tenants would share', () => {
  const options = { cacheMap: new Map() } as object;
  expect(() => tenantLoader({} as TenantContext, () => Promise.resolve([]), options)).toThrow(
    'tenantLoader() takes no cacheMap: all tenants and requests would share that map.',
  );
});
