import { createHmac, randomBytes } from 'node:crypto';
import { exportSPKI, SignJWT, type JWTHeaderParameters, type JWTPayload } from 'jose';
import { fromJwtClaim, type FromJwtClaimOptions } from '../../lib/jwt';
import { fromHeader } from '../../lib/resolution/resolvers/from-header';
import { refusedWith, ResolutionApp, type ResolutionAppOptions, servedAs } from '../support/resolution-app';
import { ADAPTERS } from '../support/sample-app';
import { AUDIENCE, type IssuerMode, signingKey, type SigningKey, TokenIssuer } from '../support/token-issuer';

const INVALID = refusedWith(401, 'TENANT_TOKEN_INVALID');
const MISMATCH = refusedWith(403, 'TENANT_MISMATCH');
const MISSING = refusedWith(400, 'TENANT_MISSING');
const NOT_FOUND = refusedWith(404, 'TENANT_NOT_FOUND');
const UNAVAILABLE = refusedWith(503, 'TENANCY_UNAVAILABLE');

const SECRET = 'a secret that is only for tests, of more than 32 bytes';
const HOUR = 3_600;
const realNow = Date.now;
const realElapsed = performance.now.bind(performance);

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const inAnHour = () => Math.floor(Date.now() / 1_000) + HOUR;

/** A token of the shared secret. */
function secretToken(
  payload: JWTPayload,
  header: Partial<JWTHeaderParameters> = {},
  secret = SECRET,
): Promise<string> {
  return new SignJWT({ exp: inAnHour(), ...payload })
    .setProtectedHeader({ alg: 'HS256', ...header })
    .sign(Buffer.from(secret));
}

describe.each(ADAPTERS)('a tenant in a token on %s', (_platform, adapter) => {
  const open: { close(): Promise<void> }[] = [];
  let first: SigningKey;
  let second: SigningKey;

  beforeAll(async () => {
    [first, second] = await Promise.all([signingKey('first'), signingKey('second')]);
  });
  afterEach(() => jest.restoreAllMocks());
  afterAll(() => Promise.all(open.map((each) => each.close())));

  const start = async (options: FromJwtClaimOptions, more: Partial<ResolutionAppOptions> = {}) => {
    const app = await ResolutionApp.start({
      adapter: adapter(),
      resolvers: [fromHeader('x-tenant-id'), fromJwtClaim(options)],
      ...more,
    });
    open.push(app);
    return app;
  };
  const startIssuer = async () => {
    const issuer = await TokenIssuer.start();
    open.push(issuer);
    issuer.publish(first);
    return issuer;
  };
  /** Makes it later for everything that reads the clock, which may be set meanwhile. */
  const later = (ms: number, byTheClock = ms) => {
    jest.spyOn(Date, 'now').mockImplementation(() => realNow() + byTheClock);
    jest.spyOn(performance, 'now').mockImplementation(() => realElapsed() + ms);
  };

  describe('that a shared secret signed', () => {
    let app: ResolutionApp;
    beforeAll(async () => {
      app = await start({ claim: 'org.tenant', secret: SECRET });
    });
    const tokenOf = (tenant: unknown) => secretToken({ org: { tenant } });

    it('is named by slug and by id', async () => {
      await expect(app.get('/who', bearer(await tokenOf('acme')))).resolves.toEqual(servedAs('acme'));
      await expect(app.get('/who', bearer(await tokenOf(app.ids.globex)))).resolves.toEqual(
        servedAs('globex'),
      );
    });

    it('is named under a scheme in any case', async () => {
      const token = await tokenOf('acme');
      await expect(app.get('/who', { authorization: `bearer  ${token}` })).resolves.toEqual(servedAs('acme'));
    });

    it('must agree with the header, by slug or by id', async () => {
      const token = await tokenOf('acme');
      const acme = { 'x-tenant-id': app.ids.acme, ...bearer(token) };
      await expect(app.get('/who', acme)).resolves.toEqual(servedAs('acme'));
      await expect(app.get('/who', { 'x-tenant-id': 'globex', ...bearer(token) })).resolves.toEqual(MISMATCH);
      const nobody = await tokenOf('nobody');
      await expect(app.get('/who', { 'x-tenant-id': 'acme', ...bearer(nobody) })).resolves.toEqual(MISMATCH);
    });

    it('is nobody’s when the claim names nobody, or is no text', async () => {
      for (const value of ['nobody', '', 'ACME', 5, ['acme'], { slug: 'acme' }, true]) {
        await expect(app.get('/who', bearer(await tokenOf(value)))).resolves.toEqual(NOT_FOUND);
      }
    });

    it('makes no claim without a token, with another scheme, or without the claim in it', async () => {
      await expect(app.get('/who')).resolves.toEqual(MISSING);
      await expect(app.get('/who', { authorization: 'Basic YTpi' })).resolves.toEqual(MISSING);
      await expect(app.get('/who', { authorization: '' })).resolves.toEqual(MISSING);
      for (const payload of [
        {},
        { org: null },
        { org: 'acme' },
        { org: { tenant: null } },
        { 'org.tenant': 'acme' },
      ]) {
        const headers = bearer(await secretToken(payload));
        await expect(app.get('/who', headers)).resolves.toEqual(MISSING);
        await expect(app.get('/who', { 'x-tenant-id': 'acme', ...headers })).resolves.toEqual(
          servedAs('acme'),
        );
      }
    });

    it('may be required to be in the token', async () => {
      const strict = await start({ claim: 'tenant', secret: SECRET, requireClaim: true });
      const headers = bearer(await secretToken({}));
      await expect(strict.get('/who', headers)).resolves.toEqual(NOT_FOUND);
      await expect(strict.get('/who', { 'x-tenant-id': 'acme', ...headers })).resolves.toEqual(MISMATCH);
    });

    it('may be in a header of its own', async () => {
      const own = await start({
        claim: ['https://example.com/tenant'],
        secret: SECRET,
        header: 'X-Token',
        scheme: '',
      });
      const token = await secretToken({ 'https://example.com/tenant': 'acme' });
      await expect(own.get('/who', { 'x-token': token })).resolves.toEqual(servedAs('acme'));
      await expect(own.get('/who', bearer(token))).resolves.toEqual(MISSING);
      await expect(own.get('/who', { 'x-token': '' })).resolves.toEqual(INVALID);
      await expect(own.get('/who', { 'x-token': [token, token] })).resolves.toEqual(INVALID);
    });

    const forgeries: Record<string, () => string | Promise<string>> = {
      'with another secret': () => secretToken({ org: { tenant: 'acme' } }, {}, 'x'.repeat(40)),
      'by nobody (alg none)': () =>
        `${base64url({ alg: 'none' })}.${base64url({ org: { tenant: 'acme' }, exp: inAnHour() })}.`,
      'with alg None': () => `${base64url({ alg: 'None' })}.${base64url({ exp: inAnHour() })}.`,
      'without its signature': async () => (await tokenOf('acme')).replace(/[^.]+$/, ''),
      'for another payload': async () => {
        const [header, , signature] = (await tokenOf('acme')).split('.');
        return `${header}.${base64url({ org: { tenant: 'globex' }, exp: inAnHour() })}.${signature}`;
      },
      'with HS512, which nobody allowed': () =>
        secretToken({ org: { tenant: 'acme' } }, { alg: 'HS512' }, 'x'.repeat(64)),
      'an hour ago': () => secretToken({ org: { tenant: 'acme' }, exp: inAnHour() - 2 * HOUR }),
      'to be valid in an hour': () =>
        secretToken({ org: { tenant: 'acme' }, nbf: inAnHour() - 60, exp: inAnHour() }),
      'without an end': () => secretToken({ org: { tenant: 'acme' }, exp: undefined }),
      'with an end that is no number': () =>
        secretToken({ org: { tenant: 'acme' }, exp: 'never' as unknown as number }),
      'with an extension that must be understood': () =>
        `${base64url({ alg: 'HS256', crit: ['x'], x: 1 })}.${base64url({ exp: inAnHour() })}.AA`,
      'as an encrypted one': () => 'a.b.c.d.e',
      'as nonsense': () => 'nonsense',
      'as nothing': () => '',
      'as 8 kB': () => 'a'.repeat(8_192),
      'as two': async () => `${await tokenOf('acme')} ${await tokenOf('acme')}`,
      'as a list': () => `${base64url({ alg: 'HS256' })}.${base64url(['acme'])}.AA`,
    };

    it.each(Object.entries(forgeries))('is refused when it was made %s', async (_case, forge) => {
      const headers = bearer(await forge());
      const answer = await app.get('/who', headers);
      expect(answer).toEqual(INVALID);
      expect(answer.headers['www-authenticate']).toBe('Bearer error="invalid_token"');
      expect(JSON.stringify(answer.body)).not.toMatch(/acme|globex/);
      // Also where another resolver has found the tenant, and where none is needed.
      await expect(app.get('/who', { 'x-tenant-id': 'acme', ...headers })).resolves.toEqual(INVALID);
      await expect(app.get('/optional', headers)).resolves.toEqual(INVALID);
      await expect(app.get('/free', headers)).resolves.toMatchObject({ status: 200 });
    });

    it('is refused in two headers, whichever comes first', async () => {
      const token = await tokenOf('acme');
      for (const authorization of [
        [`Bearer ${token}`, `Bearer ${token}`],
        [`Bearer ${token}`, 'Basic YTpi'],
        ['Basic YTpi', `Bearer ${token}`],
      ]) {
        await expect(app.get('/who', { Authorization: authorization })).resolves.toEqual(INVALID);
      }
    });

    it('says that it has expired, or which of its claims is not accepted', async () => {
      const expired = await app.get('/who', bearer(await forgeries['an hour ago']()));
      expect(expired.body.message).toBe(
        'The token was refused: it has expired. Ask its issuer for a new one.',
      );
      const early = await app.get('/who', bearer(await forgeries['to be valid in an hour']()));
      expect(early.body.message).toContain('its "nbf" is not accepted');
    });

    it('is given the time by which clocks may differ, and no more', async () => {
      const tolerant = await start({ claim: 'tenant', secret: SECRET, clockToleranceSeconds: 60 });
      const expiredFor = (seconds: number) =>
        secretToken({ tenant: 'acme', exp: inAnHour() - HOUR - seconds });
      await expect(tolerant.get('/who', bearer(await expiredFor(30)))).resolves.toEqual(servedAs('acme'));
      await expect(tolerant.get('/who', bearer(await expiredFor(90)))).resolves.toEqual(INVALID);
    });
  });

  describe('that a key of ours verifies', () => {
    it.each(['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'])('is believed with %s', async (alg) => {
      const key = await signingKey('own', alg);
      const app = await start({ claim: 'tenant', key: await exportSPKI(key.publicKey) });
      const token = await new SignJWT({ tenant: 'acme', exp: inAnHour() })
        .setProtectedHeader({ alg })
        .sign(key.privateKey);
      await expect(app.get('/who', bearer(token))).resolves.toEqual(servedAs('acme'));
    });

    it('is not believed when the public key was used as a secret', async () => {
      const pem = await exportSPKI(first.publicKey);
      const signed = `${base64url({ alg: 'HS256', kid: 'first' })}.${base64url({ tenant: 'acme', exp: inAnHour() })}`;
      const issuer = await startIssuer();
      const apps = await Promise.all([
        start({ claim: 'tenant', key: pem }),
        start({ claim: 'tenant', jwksUri: issuer.jwksUri, issuer: issuer.url, audience: AUDIENCE }),
      ]);
      for (const secret of [pem, pem.trim(), JSON.stringify(first.jwk), first.jwk.n as string]) {
        const signature = createHmac('sha256', secret).update(signed).digest('base64url');
        for (const app of apps) {
          await expect(app.get('/who', bearer(`${signed}.${signature}`))).resolves.toEqual(INVALID);
        }
      }
    });

    it('is not believed when it brings its own key', async () => {
      const app = await start({ claim: 'tenant', key: await exportSPKI(first.publicKey) });
      const token = await new SignJWT({ tenant: 'acme', exp: inAnHour() })
        .setProtectedHeader({
          alg: 'RS256',
          jwk: second.jwk,
          jku: 'http://127.0.0.1:1/keys',
          kid: '../../dev/null',
        })
        .sign(second.privateKey);
      await expect(app.get('/who', bearer(token))).resolves.toEqual(INVALID);
    });

    it('is believed of the issuer, for the audience and of the type that were named', async () => {
      const app = await start({
        claim: 'tenant',
        secret: SECRET,
        issuer: ['https://a.example', 'https://b.example'],
        audience: 'shop',
        typ: 'at+jwt',
      });
      const token = (payload: JWTPayload, typ = 'at+jwt') =>
        secretToken(
          { tenant: 'acme', iss: 'https://b.example', aud: ['other', 'shop'], ...payload },
          { typ },
        );
      await expect(app.get('/who', bearer(await token({})))).resolves.toEqual(servedAs('acme'));
      for (const payload of [
        { iss: 'https://c.example' },
        { iss: undefined },
        { iss: 'https://b.example/' },
        { aud: 'other' },
        { aud: [] },
        { aud: undefined },
      ]) {
        await expect(app.get('/who', bearer(await token(payload)))).resolves.toEqual(INVALID);
      }
      await expect(app.get('/who', bearer(await token({}, 'JWT')))).resolves.toEqual(INVALID);
    });
  });

  describe('whose issuer publishes its keys', () => {
    const remote = (issuer: TokenIssuer, more: Partial<FromJwtClaimOptions> = {}): FromJwtClaimOptions => ({
      claim: 'tenant',
      jwksUri: issuer.jwksUri,
      issuer: issuer.url,
      audience: AUDIENCE,
      cache: { ttlMs: 0 },
      ...more,
    });

    it('is believed, and the keys are fetched once', async () => {
      const issuer = await startIssuer();
      const app = await start(remote(issuer));
      const headers = bearer(await issuer.token(first, { tenant: 'acme' }));
      await expect(Promise.all([1, 2, 3].map(() => app.get('/who', headers)))).resolves.toEqual(
        [1, 2, 3].map(() => servedAs('acme')),
      );
      expect(issuer.asked).toEqual(['/keys']);
    });

    it('is found by discovery with nothing but the issuer’s URL', async () => {
      const issuer = await startIssuer();
      const app = await start({ claim: 'tenant', issuer: issuer.url, audience: AUDIENCE });
      const token = await issuer.token(first, { tenant: 'acme' });
      await expect(app.get('/who', bearer(token))).resolves.toEqual(servedAs('acme'));
      expect(issuer.asked).toEqual(['/.well-known/openid-configuration', '/keys']);
    });

    it('is not believed of another issuer, for another audience, or with a key that is not published', async () => {
      const issuer = await startIssuer();
      const app = await start(remote(issuer));
      for (const payload of [
        { iss: 'https://evil.example' },
        { aud: 'other' },
        { iss: undefined },
        { aud: undefined },
      ]) {
        const token = await issuer.token(first, { tenant: 'acme', ...payload });
        await expect(app.get('/who', bearer(token))).resolves.toEqual(INVALID);
      }
      const forged = await issuer.token(second, { tenant: 'acme' }, { kid: 'first' });
      await expect(app.get('/who', bearer(forged))).resolves.toEqual(INVALID);
    });

    it('is believed after a rotation: an unknown key is asked for once the cool-down is over', async () => {
      const issuer = await startIssuer();
      const app = await start(remote(issuer));
      const old = bearer(await issuer.token(first, { tenant: 'acme' }));
      const fresh = bearer(await issuer.token(second, { tenant: 'acme' }));
      await expect(app.get('/who', old)).resolves.toEqual(servedAs('acme'));
      issuer.publish(second);
      await expect(app.get('/who', fresh)).resolves.toEqual(INVALID);
      expect(issuer.asked).toHaveLength(1);
      later(30_001);
      await expect(app.get('/who', fresh)).resolves.toEqual(servedAs('acme'));
      await expect(app.get('/who', old)).resolves.toEqual(INVALID);
      expect(issuer.asked).toHaveLength(2);
    });

    it('makes no flood of questions out of a flood of unknown keys', async () => {
      const issuer = await startIssuer();
      const app = await start(remote(issuer));
      const flood = () =>
        Promise.all(
          Array.from({ length: 50 }, async () => {
            const kid = randomBytes(4).toString('hex');
            return app.get('/who', bearer(await issuer.token(second, { tenant: 'acme' }, { kid })));
          }),
        );
      expect(new Set((await flood()).map(({ status }) => status))).toEqual(new Set([401]));
      later(30_001);
      await flood();
      expect(issuer.asked.length).toBeLessThanOrEqual(2);
    });

    it('is believed without a key’s name while several are published', async () => {
      const issuer = await startIssuer();
      issuer.publish(first, second);
      const app = await start(remote(issuer));
      for (const key of [first, second]) {
        const token = await issuer.token(key, { tenant: 'acme' }, { kid: undefined });
        await expect(app.get('/who', bearer(token))).resolves.toEqual(servedAs('acme'));
      }
      const stranger = await signingKey('stranger');
      const forged = await issuer.token(stranger, { tenant: 'acme' }, { kid: undefined });
      await expect(app.get('/who', bearer(forged))).resolves.toEqual(INVALID);
    });

    it.each<[string, IssuerMode]>([
      ['answers with HTML', 'html'],
      ['fails', 'error'],
      ['redirects', 'redirect'],
      ['does not answer', 'hang'],
      ['publishes nonsense', 'nonsense'],
      ['publishes nothing', 'empty'],
    ])('is 503, not 401, while the issuer %s; then all is well again', async (_case, mode) => {
      const issuer = await startIssuer();
      const headers = bearer(await issuer.token(first, { tenant: 'acme' }));
      for (const options of [remote(issuer), remote(issuer, { jwksUri: undefined })]) {
        const { jwksUri, ...discovery } = options;
        const timeoutMs = mode === 'hang' ? 500 : 5_000;
        const app = await start({ ...(jwksUri ? options : discovery), timeoutMs });
        issuer.mode = mode;
        await expect(app.get('/who', headers)).resolves.toEqual(UNAVAILABLE);
        await expect(app.get('/who', { 'x-tenant-id': 'acme', ...headers })).resolves.toEqual(UNAVAILABLE);
        await expect(app.get('/free', headers)).resolves.toMatchObject({ status: 200 });
        await expect(app.get('/who', { 'x-tenant-id': 'acme' })).resolves.toEqual(servedAs('acme'));
        issuer.mode = 'up';
        later(1_001);
        await expect(app.get('/who', headers)).resolves.toEqual(servedAs('acme'));
        jest.restoreAllMocks();
      }
    });

    it('is 503 while nobody listens, and the issuer is asked once a second', async () => {
      const issuer = await startIssuer();
      const app = await start(remote(issuer));
      const headers = bearer(await issuer.token(first, { tenant: 'acme' }));
      issuer.mode = 'error';
      for (let i = 0; i < 20; i++) await expect(app.get('/who', headers)).resolves.toEqual(UNAVAILABLE);
      // The clock is real here, so a slow machine may see the second go by.
      expect(issuer.asked.length).toBeLessThan(5);
      const { url } = issuer;
      await issuer.close();
      later(1_001);
      await expect(app.get('/who', headers)).resolves.toEqual(UNAVAILABLE);
      await issuer.listen(Number(new URL(url).port));
      issuer.mode = 'up';
      later(2_002);
      await expect(app.get('/who', headers)).resolves.toEqual(servedAs('acme'));
    });

    it('goes on being believed while the issuer is down, for as long as its keys are kept', async () => {
      const issuer = await startIssuer();
      const app = await start(remote(issuer, { keysMaxAgeMs: 60_000 }));
      const headers = bearer(await issuer.token(first, { tenant: 'acme' }));
      await expect(app.get('/who', headers)).resolves.toEqual(servedAs('acme'));
      issuer.mode = 'error';
      later(59_000);
      await expect(app.get('/who', headers)).resolves.toEqual(servedAs('acme'));
      later(61_000);
      await expect(app.get('/who', headers)).resolves.toEqual(UNAVAILABLE);
    });

    describe('after the clock was set back by an hour', () => {
      const BACK = -3_600_000;

      it('is asked for again a second after a failure', async () => {
        const issuer = await startIssuer();
        const app = await start(remote(issuer));
        const headers = bearer(await issuer.token(first, { tenant: 'acme' }));
        issuer.mode = 'error';
        await expect(app.get('/who', headers)).resolves.toEqual(UNAVAILABLE);
        issuer.mode = 'up';
        later(1_001, BACK);
        await expect(app.get('/who', headers)).resolves.toEqual(servedAs('acme'));
      });

      it('is believed after a rotation, once the cool-down is over', async () => {
        const issuer = await startIssuer();
        const app = await start(remote(issuer));
        const [old, fresh] = [
          bearer(await issuer.token(first, { tenant: 'acme' })),
          bearer(await issuer.token(second, { tenant: 'acme' })),
        ];
        await expect(app.get('/who', old)).resolves.toEqual(servedAs('acme'));
        issuer.publish(second);
        later(29_000, BACK);
        await expect(app.get('/who', fresh)).resolves.toEqual(INVALID);
        later(30_001, BACK);
        await expect(app.get('/who', fresh)).resolves.toEqual(servedAs('acme'));
        await expect(app.get('/who', old)).resolves.toEqual(INVALID);
        expect(issuer.asked).toHaveLength(2);
      });

      it('is not believed by a key that was taken back longer ago than keys are kept', async () => {
        const issuer = await startIssuer();
        const app = await start(remote(issuer, { keysMaxAgeMs: 60_000 }));
        const old = bearer(await issuer.token(first, { tenant: 'acme' }));
        await expect(app.get('/who', old)).resolves.toEqual(servedAs('acme'));
        issuer.publish(second);
        later(60_001, BACK);
        await expect(app.get('/who', old)).resolves.toEqual(INVALID);
      });

      it('is remembered for a moment, and not for an hour', async () => {
        const issuer = await startIssuer();
        const app = await start(remote(issuer, { cache: {}, keysMaxAgeMs: 5_000 }));
        const headers = bearer(await issuer.token(first, { tenant: 'acme' }));
        await expect(app.get('/who', headers)).resolves.toEqual(servedAs('acme'));
        issuer.publish(second);
        later(10_001, BACK);
        await expect(app.get('/who', headers)).resolves.toEqual(INVALID);
      });
    });

    it('is not believed by the word of an issuer that says it is another', async () => {
      const issuer = await startIssuer();
      issuer.claimedUrl = 'https://other.example';
      const app = await start({ claim: 'tenant', issuer: issuer.url, audience: AUDIENCE });
      const headers = bearer(await issuer.token(first, { tenant: 'acme' }));
      await expect(app.get('/who', headers)).resolves.toEqual(UNAVAILABLE);
      expect(issuer.asked).toEqual(['/.well-known/openid-configuration']);
      expect(app.log.warnings).toEqual([
        expect.stringContaining(`it is of the issuer "https://other.example", not "${issuer.url}"`),
      ]);
    });

    it('is remembered for a moment once it was verified, and no longer', async () => {
      const issuer = await startIssuer();
      const app = await start(remote(issuer, { cache: {}, cooldownMs: 0 }));
      const headers = bearer(await issuer.token(first, { tenant: 'acme' }));
      await expect(app.get('/who', headers)).resolves.toEqual(servedAs('acme'));
      issuer.publish(second);
      // A token of the new key makes the application fetch it, and forget the old one.
      const fresh = bearer(await issuer.token(second, { tenant: 'globex' }));
      await expect(app.get('/who', fresh)).resolves.toEqual(servedAs('globex'));
      await expect(app.get('/who', headers)).resolves.toEqual(servedAs('acme'));
      later(10_001);
      await expect(app.get('/who', headers)).resolves.toEqual(INVALID);
    });
  });
});
