import { once } from 'node:events';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer as createTcp, type Server } from 'node:net';
import { checkOptions } from '../../lib/common/options/check-options';
import { WebhookClient } from '../../lib/webhooks/client/webhook-client';
import { InvalidWebhooksOptionsError } from '../../lib/webhooks/webhooks.errors';
import { CheckedWebhooksOptions, type TenancyWebhooksOptions } from '../../lib/webhooks/webhooks.options';
import { LyingDns } from '../support/lying-dns';
import { CERTIFICATE, CERTIFICATE_KEY } from '../support/receiver-certificate';

/** The receiver is here, and what must not be reached is there, at the same port. */
const [RECEIVER, HOUSE] = ['127.0.0.1', '127.0.0.2'];

const dns = new LyingDns();
let dnsServer: string;
const servers: Server[] = [];
let port: number;
/** What the receiver got, and what it answers. */
let got: { request: IncomingMessage; body: string; serverName: unknown }[] = [];
let answer: (response: ServerResponse, request: IncomingMessage) => void;
let callsToHouse = 0;

async function listen(server: Server, host: string, at = 0): Promise<number> {
  servers.push(server);
  await once(server.listen(at, host), 'listening');
  return (server.address() as AddressInfo).port;
}

beforeAll(async () => {
  dnsServer = await dns.start();
  const tls = { key: CERTIFICATE_KEY, cert: CERTIFICATE };
  const receiver = createHttps(tls, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { servername } = request.socket as unknown as { servername: unknown };
      got.push({ request, body: Buffer.concat(chunks).toString(), serverName: servername });
      answer(response, request);
    });
  });
  port = await listen(receiver, RECEIVER);
  const house = createTcp((socket) => {
    callsToHouse += 1;
    socket.destroy();
  });
  await listen(house, HOUSE, port);
});
afterAll(async () => {
  for (const server of servers) {
    if ('closeAllConnections' in server) (server as ReturnType<typeof createHttp>).closeAllConnections();
    server.close();
  }
  await dns.stop();
});
beforeEach(() => {
  [got, callsToHouse] = [[], 0];
  dns.asked.length = 0;
  dns.says('hooks.example.com', [RECEIVER]);
  answer = (response) => response.writeHead(204).end();
});

const client = (options: Partial<TenancyWebhooksOptions> = {}) =>
  new WebhookClient(
    checkOptions(
      CheckedWebhooksOptions,
      {
        encryptionKeys: { a: Buffer.alloc(32).toString('base64') },
        ports: [port],
        allowedAddresses: [RECEIVER],
        dnsServers: [dnsServer],
        certificateAuthorities: [CERTIFICATE],
        ...options,
      },
      InvalidWebhooksOptionsError,
    ),
  );
const post = (host = 'hooks.example.com', options: Partial<TenancyWebhooksOptions> = {}) =>
  client(options).post(`https://${host}:${port}/in?a=b`, '{"ä":1}', { 'webhook-id': 'msg_1' });

it('posts to the address of the name, with the name for the certificate and the host', async () => {
  await expect(post()).resolves.toEqual({ status: 204, retryAfter: undefined });
  const [{ request, body, serverName }] = got;
  expect(request).toMatchObject({
    ...{ method: 'POST', url: '/in?a=b' },
    headers: { host: `hooks.example.com:${port}`, 'webhook-id': 'msg_1', 'content-length': '8' },
  });
  expect([body, serverName]).toEqual(['{"ä":1}', 'hooks.example.com']);
});

it('says what the receiver says, and takes nothing else of it', async () => {
  answer = (response) => response.writeHead(503, { 'retry-after': '120' }).end('sorry');
  await expect(post()).resolves.toEqual({ status: 503, retryAfter: '120' });
});

describe('our own house', () => {
  it('is not reached by a second answer of the DNS: it is asked once, and what it said is called', async () => {
    dns.says('hooks.example.com', (asked) => [asked === 0 ? RECEIVER : HOUSE]);
    await expect(post()).resolves.toMatchObject({ status: 204 });
    expect(dns.asked.sort()).toEqual(['A hooks.example.com', 'AAAA hooks.example.com']);
    // The next request asks again, and believes nothing that it was told before.
    const again = client();
    await again.post(`https://hooks.example.com:${port}/`, '', {}).catch(() => undefined);
    await expect(again.post(`https://hooks.example.com:${port}/`, '', {})).rejects.toThrow('not public');
    expect(callsToHouse).toBe(0);
  });

  it.each([
    ['alone', [HOUSE]],
    ['behind one that may be called', [RECEIVER, HOUSE]],
    ['before one that may be called', [HOUSE, RECEIVER]],
    ['as IPv6', [RECEIVER, '::1']],
    ['as IPv4 in IPv6', [RECEIVER, '::ffff:7f00:2']],
    ['by NAT64', [RECEIVER, '64:ff9b::7f00:2']],
    ['by 6to4', [RECEIVER, '2002:7f00:2::']],
    ['as the metadata of a cloud', ['169.254.169.254']],
  ])('is not called when the DNS names it %s', async (_how, addresses) => {
    dns.says('hooks.example.com', addresses);
    await expect(post()).rejects.toMatchObject({
      kind: 'refused',
      message: 'The host has an address that is not public.',
    });
    expect([callsToHouse, got]).toEqual([0, []]);
  });

  it.each([
    'localhost',
    'localhost.',
    'LOCALHOST',
    'a.localhost',
    '127.2',
    '0x7f000002',
    '[::1]',
    '127.0.0.2.',
  ])('is not called by the name of %s', async (host) => {
    const options = { allowedAddresses: ['127.0.0.3'] };
    await expect(post(host, options)).rejects.toMatchObject({ kind: 'refused' });
    expect([callsToHouse, dns.asked]).toEqual([0, []]);
  });

  it('is not reached by a redirect', async () => {
    answer = (response) => response.writeHead(307, { location: `https://${HOUSE}:${port}/` }).end();
    await expect(post()).resolves.toMatchObject({ status: 307 });
    expect(callsToHouse).toBe(0);
  });

  it('has no other ports than those of the list, no logins, and no http, also for a URL that was stored before', async () => {
    const other = client({ ports: [443] });
    for (const url of [
      `https://hooks.example.com:${port}/`,
      'https://a:b@hooks.example.com/',
      'http://hooks.example.com/',
    ])
      await expect(other.post(url, '', {})).rejects.toMatchObject({ kind: 'refused' });
    expect(dns.asked).toEqual([]);
  });
});

it('finds hosts in punycode, and those with a dot at their end', async () => {
  dns.says('xn--bcher-kva.example', [HOUSE]);
  await expect(post('bücher.example')).rejects.toMatchObject({ kind: 'refused' });
  await expect(post('hooks.example.com.')).resolves.toMatchObject({ status: 204 });
  expect(got[0].serverName).toBe('hooks.example.com');
});

it('sends plain http where that is allowed', async () => {
  const plain = await listen(
    createHttp((_request, response) => response.writeHead(200).end()),
    RECEIVER,
  );
  const options = { allowHttp: true, ports: [plain], allowedAddresses: [HOUSE] };
  await expect(
    client(options)
      .post(`http://localhost:${plain}/`, '', {})
      .catch((error: Error) => error.message),
  ).resolves.toContain('not public');
  const allowed = { ...options, allowedAddresses: ['127.0.0.0/8'] };
  await expect(client(allowed).post(`http://localhost:${plain}/`, '', {})).resolves.toMatchObject({
    status: 200,
  });
});

describe('a receiver', () => {
  it('with an answer of 1 GB is cut off after a little of it', async () => {
    let sent = 0;
    let closed: Promise<unknown> | undefined;
    answer = (response) => {
      closed = once(response, 'close');
      response.writeHead(200);
      const chunk = Buffer.alloc(65_536);
      const write = () => {
        while (sent < 2 ** 30 && !response.destroyed && response.write(chunk)) sent += chunk.length;
        if (sent < 2 ** 30) response.once('drain', write);
      };
      write();
    };
    await expect(post()).resolves.toMatchObject({ status: 200 });
    await closed;
    expect(sent).toBeLessThan(2 ** 25);
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['never answers', () => undefined],
    ['answers slowly for ever', (response) => void response.writeHead(200).write('a')],
  ])('that %s has its time, and no more', async (_what, hang) => {
    answer = hang;
    await expect(post(undefined, { timeoutMs: 200 })).rejects.toMatchObject({
      kind: 'timeout',
      message: 'There was no whole answer within 200 ms.',
    });
  });

  it('whose DNS never answers has no more time', async () => {
    dns.says('hooks.example.com', () => undefined);
    await expect(post(undefined, { timeoutMs: 200 })).rejects.toMatchObject({ kind: 'timeout' });
  });

  it('that does not exist, or is not there, is told of', async () => {
    await expect(post('nowhere.example.com')).rejects.toMatchObject({ kind: 'unknown-host' });
    dns.says('hooks.example.com', ['127.0.0.3']);
    const options = { allowedAddresses: ['127.0.0.3'] };
    await expect(post(undefined, options)).rejects.toMatchObject({
      kind: 'failed',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it.each<[string, string, (response: ServerResponse, request: IncomingMessage) => void]>([
    ['hangs up', 'socket hang up', (_response, { socket }) => void socket.destroy()],
    [
      'cuts its answer off',
      'aborted',
      (response, { socket }) => {
        response.writeHead(200, { 'content-length': '10' }).write('a', () => socket.destroy());
      },
    ],
    [
      'wants to speak something else',
      'without an answer',
      (_response, { socket }) =>
        void socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
    ],
    ['does not speak HTTP', 'Parse Error', (_response, { socket }) => void socket.end('+OK hello\r\n')],
  ])('that %s has failed', async (_what, message, fail) => {
    answer = fail;
    await expect(post()).rejects.toMatchObject({ kind: 'failed', message: expect.stringContaining(message) });
  });

  it('with a certificate that nobody trusts, or of another name, gets nothing', async () => {
    await expect(post(undefined, { certificateAuthorities: [] })).rejects.toThrow('self-signed certificate');
    dns.says('stranger.example.com', [RECEIVER]);
    await expect(post('stranger.example.com')).rejects.toThrow("does not match certificate's altnames");
    expect(got).toEqual([]);
  });
});
