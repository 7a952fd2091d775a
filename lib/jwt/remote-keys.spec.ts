import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Logger } from '@nestjs/common';
import { TenancyUnavailableError } from '../common/tenancy.errors';
import { remoteKeys } from './remote-keys';

const TIMES = { timeoutMs: 5_000, cooldownMs: 30_000, keysMaxAgeMs: 60_000 };

/** What a token's header says of its key; the key sets here hold none. */
const HEADER = { alg: 'RS256', kid: 'first' };

describe('discovery', () => {
  let server: Server;
  let document: (issuer: string) => unknown;
  const asked: string[] = [];

  beforeEach(async () => {
    asked.length = 0;
    server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end(JSON.stringify(request.url === '/keys' ? { keys: [] } : document(urlOf(server))));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const urlOf = (at: Server) => `http://127.0.0.1:${(at.address() as AddressInfo).port}`;
  const keyOf = (issuer: string) => remoteKeys({ issuer, ...TIMES })(HEADER, {} as never);

  it.each(['', '/', '/realms/shop', '/realms/shop/'])(
    'asks below the issuer, whose URL ends in %j',
    async (path) => {
      document = (url) => ({ issuer: url + path, jwks_uri: `${url}/keys` });
      await expect(keyOf(urlOf(server) + path)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
      expect(asked).toEqual([`${path.replace(/\/$/, '')}/.well-known/openid-configuration`, '/keys']);
    },
  );

  it.each<[string, (url: string) => unknown]>([
    ['of another issuer', (url) => ({ issuer: `${url}/`, jwks_uri: `${url}/keys` })],
    ['of no issuer', (url) => ({ jwks_uri: `${url}/keys` })],
    ['without keys', (url) => ({ issuer: url })],
    ['with keys at no URL', (url) => ({ issuer: url, jwks_uri: '/keys' })],
    ['with keys in a list', (url) => ({ issuer: url, jwks_uri: [`${url}/keys`] })],
    ['that is a list', () => []],
    ['that is null', () => null],
    ['that is a text', () => 'keys'],
  ])('goes no further with a document %s, and warns', async (_what, answer) => {
    document = answer;
    await expect(keyOf(urlOf(server))).rejects.toThrow(TenancyUnavailableError);
    expect(asked).toEqual(['/.well-known/openid-configuration']);
    expect(Logger.prototype.warn).toHaveBeenCalledTimes(1);
  });

  it('does not leave https for keys that anybody on the way could replace', async () => {
    const issuer = 'https://id.example';
    // A certificate is not to be had here, so the answer is made up.
    const fetched = jest
      .spyOn(globalThis, 'fetch')
      .mockImplementation(() =>
        Promise.resolve(Response.json({ issuer, jwks_uri: 'http://id.example/keys' })),
      );
    await expect(keyOf(issuer)).rejects.toThrow(TenancyUnavailableError);
    expect(fetched).toHaveBeenCalledTimes(1);
  });
});
