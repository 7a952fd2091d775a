import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import {
  ConsoleLogger,
  Controller,
  Get,
  type INestApplication,
  type MiddlewareConsumer,
  Module,
  type Provider,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SignJWT } from 'jose';
import { type Logger, pino } from 'pino';
import { Public } from '../../lib/access';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { rawRequest } from '../support/raw-request';
import { ADAPTERS } from '../support/sample-app';

const random = () => randomBytes(20).toString('hex');

/** Of one run, each of them nowhere else. */
const SECRETS = {
  masterKey: random(),
  wrongMasterKey: random(),
  tokenSecret: random(),
  databasePassword: random(),
  cookie: random(),
  basic: random(),
  queryKey: random(),
  queryToken: random(),
  accessToken: random(),
  signature: random(),
  wrongKey: `sk_${'0'.repeat(32)}_${random()}`,
};

@Controller('fail')
@Public()
class FailController {
  @Get()
  fail(): never {
    throw new Error('on purpose');
  }
}

describe.each(ADAPTERS)('the whole log of a run on %s, at the level of debug', (_name, adapter) => {
  let examples: Examples;
  let database: TestDatabase;
  let role: string;
  let log = '';
  const made: Record<string, string> = {};
  const restore: (() => void)[] = [];

  beforeAll(async () => {
    examples = writeExamples('docs/access.md', 'docs/observability.md');
    database = await createTestDatabase();
    role = `logged_${random()}`;
    await database.query(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD '${SECRETS.databasePassword}'`);
    Object.assign(process.env, {
      DATABASE_URL: Object.assign(new URL(database.url), {
        username: role,
        password: SECRETS.databasePassword,
      }).href,
      TENANCY_MASTER_KEY: SECRETS.masterKey,
      TENANCY_JWT_SECRET: SECRETS.tokenSecret,
    });
    for (const stream of [process.stdout, process.stderr]) {
      const { write } = stream;
      stream.write = (chunk: string | Uint8Array) => {
        log += chunk.toString();
        return true;
      };
      restore.push(() => void (stream.write = write));
    }
  });
  afterAll(async () => {
    for (const each of restore) each();
    delete process.env.TENANCY_JWT_SECRET;
    await database.query(`DROP OWNED BY ${role} CASCADE`).catch(() => undefined);
    await database.drop();
    examples.remove();
  });

  it('shows no key, no token, no cookie and no password, whatever goes right or wrong', async () => {
    const app = await start();
    const url = await app.getUrl();
    const ask = async (line: string, headers: Record<string, string>, body?: unknown) => {
      const [method, path] = line.split(' ');
      const type = body === undefined ? undefined : { 'content-type': 'application/json' };
      const cookies = { cookie: `session=${SECRETS.cookie}` };
      return rawRequest(url, path, {
        method,
        headers: { ...cookies, ...type, ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    };
    const master = { 'x-master-key': SECRETS.masterKey };
    await ask('POST /admin/tenants', { 'x-master-key': SECRETS.wrongMasterKey }, { slug: 'acme' });
    await ask('POST /admin/tenants', master, { slug: 5 });
    const { body } = await ask(
      'POST /admin/tenants',
      { ...master, 'idempotency-key': 'one' },
      {
        slug: 'acme',
        apiKey: true,
      },
    );
    made.key = (body as { apiKey: { key: string } }).apiKey.key;
    made.token = await signed(SECRETS.tokenSecret, 4_000_000_000);
    made.expired = await signed(SECRETS.tokenSecret, 1);
    made.forged = await signed(random() + random(), 4_000_000_000);
    const credentials: Record<string, string>[] = [
      { 'x-api-key': made.key },
      { 'x-api-key': SECRETS.wrongKey },
      { 'x-api-key': `${made.key}x` },
      ...[made.token, made.expired, made.forged].map((token) => ({ authorization: `Bearer ${token}` })),
      { authorization: `Basic ${Buffer.from(`me:${SECRETS.basic}`).toString('base64')}` },
      { 'x-api-key': made.key, authorization: `Bearer ${made.token}` },
    ];
    const seen = new Set<number>();
    for (const headers of credentials)
      for (const path of ['/reports', '/me', '/fail', '/nowhere'])
        seen.add((await ask(`GET ${path}`, headers)).status);
    const { queryKey, queryToken, accessToken, signature } = SECRETS;
    const query = `?page=2&api_key=${queryKey}&token=${queryToken}&access_token=${accessToken}&X-Amz-Signature=${signature}`;
    for (const path of ['/reports', '/me', '/fail', '/nowhere'])
      await ask(`GET ${path}${query}`, {
        'x-api-key': made.key,
        referer: `https://shop.test/orders${query}`,
      });
    expect([...seen]).toEqual(expect.arrayContaining([200, 401, 403, 404, 500]));
    // A database that does not let it in any more.
    await database.query(`ALTER ROLE ${role} PASSWORD 'another'`);
    await database.query('SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = $1', [
      role,
    ]);
    expect((await ask('GET /admin/tenants', master)).status).toBeGreaterThanOrEqual(500);
    expect((await ask('GET /reports', { 'x-api-key': made.key })).status).toBeDefined();
    await app.close();

    // It is a log of all that: requests by both loggers, errors with their stacks.
    expect(log).toMatch(/"req":\{.*"x-api-key":"\[Redacted\]"/);
    expect(log).toMatch(/on purpose\n\s+at /);
    expect(log).toContain('[HTTP]');
    expect(log).toContain('/reports?page=2&api_key=[Redacted]&token=[Redacted]');
    const basic = Buffer.from(`me:${SECRETS.basic}`).toString('base64');
    for (const [name, secret] of Object.entries({ ...SECRETS, ...made, basic }))
      expect({ name, shown: log.includes(secret) }).toEqual({ name, shown: false });
  });

  async function start(): Promise<INestApplication> {
    const { AccessAppModule } = await examples.import('access-app.module.ts');
    const { LOGGER, loggerProvider } = await examples.import('logger.provider.ts');
    const { RequestLog } = await examples.import('request-log.middleware.ts');
    const destination = { write: (line: string) => void process.stdout.write(line) };
    const logger = loggerProvider(destination, { level: 'debug' }) as Provider;

    @Module({ imports: [AccessAppModule], controllers: [FailController], providers: [logger] })
    class LoggedModule {
      configure(consumer: MiddlewareConsumer): void {
        consumer.apply(RequestLog).forRoutes('{*splat}');
      }
    }
    const nest = new ConsoleLogger({
      logLevels: ['verbose', 'debug', 'log', 'warn', 'error', 'fatal'],
      colors: false,
    });
    const app = await NestFactory.create(LoggedModule, adapter(), { logger: nest, abortOnError: false });
    // What pino-http does.
    app.use((request: IncomingMessage, response: ServerResponse, next: () => void) => {
      response.once('finish', () => {
        const [req, res] = [pino.stdSerializers.req(request), pino.stdSerializers.res(response)];
        app.get<Logger>(LOGGER).debug({ req: { ...req }, res: { ...res } }, inspect(response.statusCode));
      });
      next();
    });
    await app.listen(0, '127.0.0.1');
    return app;
  }
});

function signed(secret: string, expires: number): Promise<string> {
  return new SignJWT({ tenant: 'acme' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(expires)
    .sign(Buffer.from(secret));
}
