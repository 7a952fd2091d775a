import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { VerifiedWebhook } from '../../lib/webhooks';
import { newSecret, signedHeaders } from '../../lib/webhooks/secrets/signature';
import { rawRequest } from '../support/raw-request';
import { startTestApp, type TestApp } from '../support/test-app';

const secret = newSecret();
/** What `JSON.stringify` would not write like this. */
const body = '{ "type":"order.shipped",\n "total": 1.50, "name": "\\u00e4" }';

@Controller()
class HooksController {
  @Post('hooks')
  @HttpCode(204)
  @VerifiedWebhook(({ headers }) => (headers['x-empty'] ? '' : [newSecret(), secret]))
  receive(@Body() { type }: { type: string }): void {
    received.push(type);
  }

  @Post('plain')
  plain(@Body() given: object): object {
    return given;
  }
}

let received: string[] = [];
beforeEach(() => (received = []));

describe.each([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('a receiver on %s', (_platform, makeAdapter) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp({ controllers: [HooksController] }, { adapter: makeAdapter() });
  });
  afterAll(() => app?.close());

  const send = (headers: Record<string, string>, text = body, path = '/hooks') =>
    rawRequest(app.url, path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: text,
    });
  const signed = () => signedHeaders({ id: 'msg_1', at: new Date(), body }, [secret]);

  it('takes what is signed, byte for byte', async () => {
    await expect(send(signed())).resolves.toMatchObject({ status: 204 });
    expect(received).toEqual(['order.shipped']);
  });

  it('refuses what is not, or was changed, and calls no handler', async () => {
    const refused = { status: 400, body: { code: 'WEBHOOK_INVALID' } };
    await expect(send({})).resolves.toMatchObject(refused);
    await expect(send(signed(), JSON.stringify(JSON.parse(body)))).resolves.toMatchObject(refused);
    expect(received).toEqual([]);
  });

  it('fails without a secret, whatever is sent', async () => {
    await expect(send({ ...signed(), 'x-empty': '1' })).resolves.toMatchObject({ status: 500 });
    expect(received).toEqual([]);
  });

  it('says what is missing when there is no body as it came', async () => {
    const form = { ...signed(), 'content-type': 'text/csv' };
    const { status } = await send(form, 'a,b');
    expect([415, 500]).toContain(status);
    expect(received).toEqual([]);
  });

  it('leaves other routes as they are', async () => {
    await expect(send({}, '{"a":1}', '/plain')).resolves.toMatchObject({ status: 201, body: { a: 1 } });
    await expect(send({}, '{', '/plain')).resolves.toMatchObject({ status: 400 });
  });
});

it('tells a test that makes its application otherwise what to do', async () => {
  const start = async (options: object) => {
    const module = await Test.createTestingModule({ controllers: [HooksController] }).compile();
    const app = module.createNestApplication({ logger: false, ...options });
    await app.listen(0, '127.0.0.1');
    return app;
  };
  const headers = { 'content-type': 'application/json' };
  for (const [options, status, code] of [
    [{}, 500, 'RAW_BODY_MISSING'],
    [{ rawBody: true }, 400, 'WEBHOOK_INVALID'],
  ] as const) {
    const app = await start(options);
    try {
      const answer = await rawRequest(await app.getUrl(), '/hooks', { method: 'POST', headers, body });
      expect(answer).toMatchObject({ status, body: { code } });
    } finally {
      await app.close();
    }
  }
});
