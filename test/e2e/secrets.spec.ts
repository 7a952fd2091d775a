import { inspect } from 'node:util';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConsoleLogger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { SignJWT } from 'jose';
import { fromHeader, TenancyModule, type TenancyOptions } from '../../lib';
import { TenancyAdminModule } from '../../lib/admin';
import { fromJwtClaim } from '../../lib/jwt';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { rawRequest } from '../support/raw-request';
import { startTestApp } from '../support/test-app';

const SECRET = 'S3cr3t-that-nobody-may-read-0123456789';

/** All that the application would print, at every level, as Nest prints it. */
class Printed extends ConsoleLogger {
  text = '';
  constructor() {
    super({ logLevels: ['verbose', 'debug', 'log', 'warn', 'error', 'fatal'], colors: false });
  }
  protected override printMessages(messages: unknown[]): void {
    this.text += messages.map((message) => inspect(message, { depth: 4, maxStringLength: null })).join('\n');
  }
  protected override printStackTrace(stack: string): void {
    this.text += stack;
  }
}

describe('secrets', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  const changed = (parts: Partial<Record<'username' | 'password' | 'port', string>>) =>
    Object.assign(new URL(database.url), parts).href;

  async function start(options: TenancyOptions, printed: Printed) {
    const imports = [TenancyModule.forRoot(options), TenancyAdminModule.forRoot({ masterKey: SECRET })];
    class RootModule {}
    const app = await NestFactory.create({ module: RootModule, imports }, new ExpressAdapter(), {
      logger: printed,
      abortOnError: false,
    });
    try {
      await app.listen(0, '127.0.0.1');
    } catch (error) {
      await app.close();
      throw error;
    }
    return app;
  }

  it.each<[string, () => TenancyOptions['database'], Partial<TenancyOptions>?]>([
    ['a wrong password', () => ({ url: changed({ username: 'nobody', password: SECRET }) })],
    [
      'nobody there',
      () => ({ url: changed({ password: SECRET, port: '1' }), connectAttempts: 2, connectRetryDelayMs: 0 }),
    ],
    ['no such URL', () => ({ url: `postgres//app:${SECRET}@db/shop` })],
    ['another kind of URL', () => ({ url: `mysql://app:${SECRET}@db/shop?password=${SECRET}` })],
    [
      'a bad way around the pooler',
      () => ({ url: database.url, directUrl: `mysql://app:${SECRET}@db/shop` }),
    ],
    [
      'the way around it to nobody',
      () => ({ url: database.url, directUrl: changed({ password: SECRET, port: '1' }) }),
    ],
    [
      'a wrong password of the owner',
      () => ({
        url: database.url,
        adminUrl: changed({ username: 'nobody', password: SECRET }),
        connectAttempts: 1,
      }),
      { roles: true },
    ],
    ['an owner without roles', () => ({ url: database.url, adminUrl: changed({ password: SECRET }) })],
  ])(
    'passwords of the database are in nothing that a failing start says: %s',
    // Named one by one, a parameter that a row lacks would be taken for a callback.
    async (_case, ...[where, changes]) => {
      const options = notesOptions(database, {
        ...changes,
        database: { connectAttempts: 1, ...where() },
      });
      const outcome: unknown = await startTestApp({ imports: [TenancyModule.forRoot(options)] }).then(
        (running) => running.close(),
        (error: unknown) => error,
      );
      expect(inspect(outcome, { depth: 4 })).not.toContain(SECRET);
      expect(outcome).toBeInstanceOf(Error);
    },
  );

  it('neither keys nor tokens are in what a refused request leaves behind', async () => {
    const printed = new Printed();
    const tokens = fromJwtClaim({ claim: 'tenant', secret: SECRET });
    const app = await start(
      notesOptions(database, { resolvers: [tokens, fromHeader('x-tenant-id')] }),
      printed,
    );
    const url = await app.getUrl();
    const signed = (secret: string, payload: object) =>
      new SignJWT({ tenant: 'acme', ...payload })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(Buffer.from(secret));
    const expired = await signed(SECRET, { exp: 1 });
    const forged = await signed(`${SECRET}!`, { exp: 4_000_000_000 });
    let answers = '';
    const ask = async (path: string, headers: Record<string, string>, body?: string) => {
      answers += inspect(await rawRequest(url, path, { headers, body, method: body ? 'POST' : 'GET' }), {
        depth: 4,
      });
    };
    for (const token of [expired, forged, `${forged}.x`])
      await ask('/nowhere', { authorization: `Bearer ${token}` });
    const json = { 'content-type': 'application/json' };
    await ask('/admin/tenants', { 'x-master-key': `${SECRET}x` });
    await ask('/admin/tenants', { ...json, 'x-master-key': SECRET }, '{"slug":');
    await ask('/admin/tenants', { ...json, 'x-master-key': SECRET }, '{"slug":5}');
    await ask(
      '/admin/tenants',
      { ...json, 'x-master-key': SECRET, 'idempotency-key': '' },
      '{"slug":"acme"}',
    );
    await app.close();
    for (const secret of [SECRET, expired, forged]) expect(printed.text + answers).not.toContain(secret);
  });

  it('credentials of an issuer’s URL are in nothing that is said of it', async () => {
    const options = { claim: 'tenant', issuer: 'https://issuer.example', audience: 'shop' };
    let refusal: unknown;
    try {
      fromJwtClaim({ ...options, jwksUri: `https://user:${SECRET}@issuer.example/keys` });
    } catch (error) {
      refusal = error;
    }
    expect(String(refusal)).toContain('without user and password');
    expect(inspect(refusal)).not.toContain(SECRET);

    const server = createServer((_request, response) => response.writeHead(500).end()).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const printed = new Printed();
    const jwksUri = `http://127.0.0.1:${port}/keys?api_key=${SECRET}`;
    const app = await start(
      notesOptions(database, { resolvers: [fromJwtClaim({ ...options, jwksUri })] }),
      printed,
    );
    await rawRequest(await app.getUrl(), '/nowhere', {});
    const token = await new SignJWT({ tenant: 'acme', exp: 4_000_000_000 })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from(SECRET));
    await rawRequest(await app.getUrl(), '/orders', { headers: { authorization: `Bearer ${rs256(token)}` } });
    await app.close();
    server.close();
    expect(printed.text).toContain('No keys to verify tokens with');
    expect(printed.text).not.toContain(SECRET);
  });
});

/** The same as if a key of the issuer had signed it: it is asked for. */
function rs256(token: string): string {
  const header = Buffer.from(JSON.stringify({ alg: 'RS256', kid: 'one' })).toString('base64url');
  return [header, ...token.split('.').slice(1)].join('.');
}
