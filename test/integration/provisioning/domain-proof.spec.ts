import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { Resolver } from 'node:dns/promises';
import { uuidV7 } from '../../../lib/common/uuid-v7';
import { dnsTxtProof, type DomainProof, TenantLifecycle, TenantProvisioner } from '../../../lib';
import { TenancyAdminModule } from '../../../lib/admin';
import { MASTER_KEY } from '../../support/sample-app';
import { rawRequest } from '../../support/raw-request';
import { type ProvisioningApp, startProvisioningApp } from './app';

/** What a name server says of a name: the texts of its TXT records, each as its chunks, or one of these. */
type Zone = readonly (readonly (string | Buffer)[])[] | 'NXDOMAIN' | 'SERVFAIL' | 'REFUSED' | 'silence';

const RCODES = { SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 };

interface NameServer {
  /** By name in lower case; others do not exist. */
  readonly zones: Map<string, Zone>;
  /** The names that were asked for, as they were asked for. */
  readonly asked: string[];
  readonly address: string;
  resolver(options?: { timeout?: number; tries?: number }): Resolver;
  close(): void;
}

/** A name server for TXT on a free UDP port (RFC 1035, 4). */
async function startNameServer(): Promise<NameServer> {
  const zones = new Map<string, Zone>();
  const asked: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    const { name, end } = questionOf(query);
    asked.push(name);
    const zone = zones.get(name.toLowerCase()) ?? 'NXDOMAIN';
    if (zone !== 'silence') socket.send(answerTo(query, end, zone), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const address = `127.0.0.1:${socket.address().port}`;
  return {
    zones,
    asked,
    address,
    resolver: (options = { timeout: 2_000, tries: 2 }) => {
      const resolver = new Resolver(options);
      resolver.setServers([address]);
      return resolver;
    },
    close: () => socket.close(),
  };
}

function questionOf(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (; query[at] !== 0; at += query[at] + 1)
    labels.push(query.toString('latin1', at + 1, at + 1 + query[at]));
  return { name: labels.join('.'), end: at + 5 };
}

function answerTo(query: Buffer, end: number, zone: Exclude<Zone, 'silence'>): Buffer {
  const records = typeof zone === 'string' ? [] : zone;
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8580 | (typeof zone === 'string' ? RCODES[zone] : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, query.subarray(12, end), ...records.map(recordOf)]);
}

function recordOf(chunks: readonly (string | Buffer)[]): Buffer {
  const data = Buffer.concat(
    chunks.map((chunk) => Buffer.concat([Buffer.of(Buffer.byteLength(chunk)), Buffer.from(chunk)])),
  );
  // The name of the question, TXT, IN, a TTL of 0.
  const head = Buffer.from([0xc0, 0x0c, 0, 16, 0, 1, 0, 0, 0, 0, 0, 0]);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

const NOT_PROVEN = { code: 'DOMAIN_NOT_PROVEN', statusCode: 422 };
const UNAVAILABLE = { code: 'TENANCY_UNAVAILABLE', statusCode: 503 };

let dns: NameServer;

beforeAll(async () => {
  dns = await startNameServer();
});
afterAll(() => dns?.close());
beforeEach(() => {
  dns.zones.clear();
  dns.asked.length = 0;
});

describe('dnsTxtProof', () => {
  const tenant = { id: uuidV7(), slug: 'acme' };
  const record = `tenant=${tenant.id}`;
  const prove = (domain = 'shop.acme.com', options = {}) =>
    dnsTxtProof({ resolver: dns.resolver(), ...options }).prove(domain, tenant);

  it.each<[string, Zone]>([
    ['alone', [[record]]],
    ['among others', [['v=spf1 -all'], [`tenant=${uuidV7()}`], [record], ['']]],
    [
      'among many',
      [...Array.from({ length: 100 }, (_, i): string[] => [`google-site-verification=${i}`]), [record]],
    ],
    ['in several chunks', [[record.slice(0, 1), '', record.slice(1, 20), record.slice(20)]]],
    ['beside chunks of 255 bytes', [['x'.repeat(255), 'y'.repeat(255)], [record]]],
  ])('takes the record %s', async (_how, zone) => {
    dns.zones.set('_tenancy.shop.acme.com', zone);
    await expect(prove()).resolves.toBeUndefined();
    expect(dns.asked).toEqual(['_tenancy.shop.acme.com']);
  });

  it.each<[string, Zone]>([
    ['the name does not exist', 'NXDOMAIN'],
    ['it has no TXT records', []],
    ['it has an empty one', [['']]],
    ['it names another tenant', [[`tenant=${uuidV7()}`]]],
    [
      'it says more',
      [[`${record} `], [` ${record}`], [`${record};x`], [`x${record}`], [`${record}\0`], [`${record}\n`]],
    ],
    ['it says less', [[record.slice(0, -1)], ['tenant='], [tenant.id]]],
    [
      'it is in other letters',
      [[record.toUpperCase()], [record.replace('e', 'е')], [record.replace('=', '＝')]],
    ],
    ['it is spread over records', [[record.slice(0, 20)], [record.slice(20)]]],
    ['the id begins in a chunk of 255 bytes', [['x'.repeat(255), record]]],
    [
      'it is hostile',
      [[`' OR 1=1; --`], ['${tenant}'], ['%s%n'], ['.*'], [Buffer.from([0, 0xff, 0xfe, 0x80])]],
    ],
    ['it names the slug', [['tenant=acme']]],
  ])('refuses when %s, and names the record to publish', async (_what, zone) => {
    dns.zones.set('_tenancy.shop.acme.com', zone);
    await expect(prove()).rejects.toMatchObject({
      ...NOT_PROVEN,
      domain: 'shop.acme.com',
      message:
        `The tenant "acme" has not proven that it owns the domain "shop.acme.com": publish the DNS record ` +
        `_tenancy.shop.acme.com. TXT "${record}" and try again once DNS shows it.`,
    });
  });

  it('asks for the parent of a wildcard, and under another prefix if told', async () => {
    dns.zones.set('_own.acme.com', [[record]]);
    await prove('*.acme.com', { prefix: '_own' });
    await expect(prove('*.acme.com')).rejects.toMatchObject(NOT_PROVEN);
    expect(dns.asked).toEqual(['_own.acme.com', '_tenancy.acme.com']);
  });

  it('refuses a domain in front of which DNS has no room for the prefix', async () => {
    const domain = `${`${'a'.repeat(60)}.`.repeat(4)}example`;
    await expect(prove(domain)).rejects.toMatchObject({
      ...NOT_PROVEN,
      message: expect.stringContaining('longer than 253 characters'),
    });
    expect(dns.asked).toEqual([]);
  });

  it.each(['SERVFAIL', 'REFUSED'] as const)('never takes %s for the absence of a record', async (zone) => {
    dns.zones.set('_tenancy.shop.acme.com', zone);
    await expect(prove()).rejects.toMatchObject({
      ...UNAVAILABLE,
      message: expect.stringContaining('_tenancy.shop.acme.com'),
      cause: expect.objectContaining({ code: `E${zone}` }),
    });
  });

  it('never takes silence for the absence of a record, and does not wait longer than it may', async () => {
    dns.zones.set('_tenancy.shop.acme.com', 'silence');
    const resolver = dns.resolver({ timeout: 60_000, tries: 1 });
    await expect(prove('shop.acme.com', { resolver, timeoutMs: 100 })).rejects.toMatchObject({
      ...UNAVAILABLE,
      cause: expect.objectContaining({ message: 'No answer within 100 ms.' }),
    });
    resolver.cancel();
  });

  it('never takes a name server that is not there for the absence of a record', async () => {
    const gone = await startNameServer();
    const resolver = gone.resolver({ timeout: 200, tries: 1 });
    gone.close();
    await expect(prove('shop.acme.com', { resolver })).rejects.toMatchObject(UNAVAILABLE);
  });

  it.each([
    ['an error', new Error('broken')],
    ['a text', 'broken'],
    ['nothing', undefined],
  ])('takes a failure without a code, %s, for an outage', async (_what, failure) => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    const resolver = { resolveTxt: () => Promise.reject(failure) };
    const error: unknown = await prove('shop.acme.com', { resolver }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(UNAVAILABLE);
    expect((error as Error).cause).toBe(failure);
  });

  describe('without a resolver', () => {
    /** Leads the resolvers of Node that are made from now on to our name server. */
    beforeEach(() => {
      const { resolveTxt } = Resolver.prototype;
      jest.spyOn(Resolver.prototype, 'resolveTxt').mockImplementation(function (this: Resolver, name) {
        this.setServers([dns.address]);
        return resolveTxt.call(this, name);
      });
    });
    afterEach(() => {
      jest.restoreAllMocks();
    });

    it('asks the name servers of the machine', async () => {
      dns.zones.set('_tenancy.shop.acme.com', [[record]]);
      await expect(dnsTxtProof().prove('shop.acme.com', tenant)).resolves.toBeUndefined();
    });

    it('asks twice before it gives up, and leaves no question open', async () => {
      dns.zones.set('_tenancy.shop.acme.com', 'silence');
      const cancel = jest.spyOn(Resolver.prototype, 'cancel');
      await expect(dnsTxtProof({ timeoutMs: 1_500 }).prove('shop.acme.com', tenant)).rejects.toMatchObject(
        UNAVAILABLE,
      );
      expect(dns.asked).toHaveLength(2);
      expect(cancel).toHaveBeenCalledTimes(1);
    });
  });

  it.each<[string, object]>([
    ['an empty prefix', { prefix: '' }],
    ['a prefix of two labels', { prefix: 'a.b' }],
    ['a prefix too long for DNS', { prefix: 'a'.repeat(64) }],
    ['a prefix that is no text', { prefix: 5 }],
    ['no time at all', { timeoutMs: 0 }],
    ['a time that is no integer', { timeoutMs: 0.5 }],
    ['a time that timers cannot wait', { timeoutMs: 2 ** 31 }],
    ['a time that is no number', { timeoutMs: '5000' }],
    ['a resolver that is none', { resolver: {} }],
    ['null for a resolver', { resolver: null }],
    ['a misspelled option', { timeout: 100 }],
  ])('refuses %s', (_what, options) => {
    expect(() => dnsTxtProof(options)).toThrow(TypeError);
  });
});

describe('with the option domainProof', () => {
  let running: ProvisioningApp;
  let count = 0;
  const lifecycle = () => running.app.get(TenantLifecycle);
  const provisioner = () => running.app.get(TenantProvisioner);

  beforeAll(async () => {
    running = await startProvisioningApp(
      { domainProof: dnsTxtProof({ resolver: dns.resolver() }), wildcardDomains: true },
      { imports: [TenancyAdminModule.forRoot({ masterKey: MASTER_KEY })] },
    );
  });
  afterAll(() => running?.close());

  const fresh = () => `shop-${++count}`;
  const make = () => running.create({ slug: fresh() });
  const publish = (name: string, id: string) => dns.zones.set(name, [[`tenant=${id}`]]);
  const admin = (method: string, path: string, body?: object, headers = {}) =>
    rawRequest(running.url, `/admin/tenants${path}`, {
      method,
      headers: {
        'x-master-key': MASTER_KEY,
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body && JSON.stringify(body),
    });
  const kept = async () => ({
    schemas: await running.schemas(),
    rows: await running.database.query(
      'SELECT (SELECT count(*) FROM tenancy.tenants) AS tenants, (SELECT count(*) FROM tenancy.tenant_domains) AS domains',
    ),
  });

  it('a tenant gets a domain once its record is there', async () => {
    const { id, slug, version } = await make();
    await expect(lifecycle().addDomain(slug, 'a.acme.com')).rejects.toMatchObject({
      ...NOT_PROVEN,
      message: expect.stringContaining(`_tenancy.a.acme.com. TXT "tenant=${id}"`),
    });
    await expect(lifecycle().get(id)).resolves.toMatchObject({ domains: [], version });
    publish('_tenancy.a.acme.com', id);
    await expect(lifecycle().addDomain(slug, 'a.acme.com')).resolves.toMatchObject({
      domains: ['a.acme.com'],
    });
  });

  it.each([
    ['MiXeD.Acme.COM.', '_tenancy.mixed.acme.com', 'mixed.acme.com'],
    ['Bücher.acme.de', '_tenancy.xn--bcher-kva.acme.de', 'xn--bcher-kva.acme.de'],
    ['*.Wild.acme.com', '_tenancy.wild.acme.com', '*.wild.acme.com'],
  ])('%s is proven under %s', async (given, name, domain) => {
    const { id } = await make();
    publish(name, id);
    await expect(lifecycle().addDomain(id, given)).resolves.toMatchObject({ domains: [domain] });
    expect(dns.asked).toEqual([name]);
  });

  it('the record of another tenant proves nothing, taken or not', async () => {
    const [owner, other] = [await make(), await make()];
    publish('_tenancy.b.acme.com', owner.id);
    await expect(lifecycle().addDomain(other.id, 'b.acme.com')).rejects.toMatchObject(NOT_PROVEN);
    await lifecycle().addDomain(owner.id, 'b.acme.com');
    await expect(lifecycle().addDomain(other.id, 'b.acme.com')).rejects.toMatchObject(NOT_PROVEN);
    publish('_tenancy.b.acme.com', other.id);
    await expect(lifecycle().addDomain(other.id, 'b.acme.com')).rejects.toMatchObject({
      code: 'DOMAIN_TAKEN',
    });
  });

  it('a domain that the tenant has is fine, and is removed, without asking', async () => {
    const { id } = await make();
    publish('_tenancy.c.acme.com', id);
    const { version } = await lifecycle().addDomain(id, 'c.acme.com');
    dns.zones.set('_tenancy.c.acme.com', 'SERVFAIL');
    dns.asked.length = 0;
    await expect(lifecycle().addDomain(id, 'C.acme.com')).resolves.toMatchObject({ version });
    await expect(lifecycle().removeDomain(id, 'c.acme.com')).resolves.toMatchObject({ domains: [] });
    expect(dns.asked).toEqual([]);
  });

  it('what is no domain, an unknown tenant and another version are refused without asking', async () => {
    const { id } = await make();
    await expect(lifecycle().addDomain(id, 'a b')).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await expect(lifecycle().addDomain(uuidV7(), 'd.acme.com')).rejects.toMatchObject({
      code: 'TENANT_NOT_FOUND',
    });
    await expect(lifecycle().addDomain(id, 'd.acme.com', { ifVersion: 7 })).rejects.toMatchObject({
      statusCode: 412,
    });
    expect(dns.asked).toEqual([]);
  });

  it('an outage of DNS is told as one, and changes nothing', async () => {
    const { id } = await make();
    dns.zones.set('_tenancy.e.acme.com', 'SERVFAIL');
    await expect(lifecycle().addDomain(id, 'e.acme.com')).rejects.toMatchObject(UNAVAILABLE);
    await expect(admin('PUT', `/${id}/domains/e.acme.com`)).resolves.toMatchObject({
      status: 503,
      body: { code: 'TENANCY_UNAVAILABLE' },
    });
    await expect(lifecycle().get(id)).resolves.toMatchObject({ domains: [] });
  });

  it('the admin API tells the record to publish', async () => {
    const { id, slug } = await make();
    await expect(admin('PUT', `/${slug}/domains/f.acme.com`)).resolves.toMatchObject({
      status: 422,
      body: {
        statusCode: 422,
        code: 'DOMAIN_NOT_PROVEN',
        message: expect.stringContaining(`_tenancy.f.acme.com. TXT "tenant=${id}"`),
      },
    });
    publish('_tenancy.f.acme.com', id);
    await expect(admin('PUT', `/${slug}/domains/f.acme.com`)).resolves.toMatchObject({
      status: 200,
      body: { domains: ['f.acme.com'] },
    });
  });

  it('a tenant cannot be made, cloned or adopted with domains, and nothing is asked or left', async () => {
    const source = await make();
    await running.database.query('CREATE SCHEMA legacy');
    const before = await kept();
    const createFirst = { ...NOT_PROVEN, message: expect.stringContaining('create the tenant without it') };
    const domains = ['g.acme.com'];
    await expect(provisioner().create({ slug: 'g', domains })).rejects.toMatchObject(createFirst);
    await expect(provisioner().clone(source.slug, 'g', { domains })).rejects.toMatchObject(createFirst);
    await expect(provisioner().adopt('legacy', 'g', { domains })).rejects.toMatchObject(createFirst);
    expect(await kept()).toEqual(before);
    expect(dns.asked).toEqual([]);
  });

  it('a tenant is made with domains that were proven for the id that it is given, all or none', async () => {
    const id = uuidV7();
    const wanted = { slug: fresh(), domains: ['h.acme.com', '*.i.acme.com'] };
    const before = await kept();
    publish('_tenancy.h.acme.com', id);
    await expect(provisioner().create(wanted, { id })).rejects.toMatchObject({
      ...NOT_PROVEN,
      domain: '*.i.acme.com',
      message: expect.stringContaining('create the tenant without it'),
      cause: expect.objectContaining({
        message: expect.stringContaining(`_tenancy.i.acme.com. TXT "tenant=${id}"`),
      }),
    });
    dns.zones.set('_tenancy.i.acme.com', 'SERVFAIL');
    await expect(provisioner().create(wanted, { id })).rejects.toMatchObject(UNAVAILABLE);
    expect(await kept()).toEqual(before);
    publish('_tenancy.i.acme.com', id);
    await expect(provisioner().create(wanted, { id })).resolves.toMatchObject({
      id,
      domains: ['*.i.acme.com', 'h.acme.com'],
    });
  });

  it.each([
    ['', {}],
    [' with an Idempotency-Key', { 'idempotency-key': 'sign-up 1' }],
  ])('a POST%s with domains is told to create first, each time', async (_how, headers) => {
    const before = await kept();
    const slug = fresh();
    const refused = {
      status: 422,
      body: {
        statusCode: 422,
        code: 'DOMAIN_NOT_PROVEN',
        message:
          `The tenant "${slug}" has not proven that it owns the domain "j.acme.com": create the tenant without it, ` +
          'then add it, which tells how to prove it.',
      },
    };
    const body = { slug, domains: ['j.acme.com'] };
    await expect(admin('POST', '', body, headers)).resolves.toEqual(refused);
    await expect(admin('POST', '', body, headers)).resolves.toEqual(refused);
    expect(await kept()).toEqual(before);
    await expect(admin('POST', '', { slug }, headers)).resolves.toMatchObject({ status: 201 });
  });
});

describe('a proof of your own', () => {
  it('is asked with the domain as it is kept and with the tenant, and its error is the answer', async () => {
    const asked: unknown[] = [];
    const domainProof: DomainProof = {
      prove: (domain, { id, slug }) => {
        asked.push({ domain, id, slug });
        return domain.endsWith('.test') ? Promise.resolve() : Promise.reject(new Error('not today'));
      },
    };
    const running = await startProvisioningApp({ domainProof });
    try {
      const { id, slug } = await running.create({ slug: 'acme' });
      const lifecycle = running.app.get(TenantLifecycle);
      await expect(lifecycle.addDomain(id, 'Acme.test')).resolves.toMatchObject({ domains: ['acme.test'] });
      await expect(lifecycle.addDomain(id, 'acme.com')).rejects.toThrow('not today');
      expect(asked).toEqual(['acme.test', 'acme.com'].map((domain) => ({ domain, id, slug })));
    } finally {
      await running.close();
    }
  });

  it.each([[() => true], [{}], [null], ['dns']])('that is none fails the start: %s', async (domainProof) => {
    await expect(startProvisioningApp({ domainProof: domainProof as never })).rejects.toThrow(
      /domainProof is .*: give dnsTxtProof\(\)/,
    );
  });
});
