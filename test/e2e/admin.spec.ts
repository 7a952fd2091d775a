import { Client } from 'pg';
import { ANY_ADAPTER, MASTER_KEY, type Answer, type SampleApp, startSampleApp } from '../support/sample-app';
import { rawRequest, type RawRequest } from '../support/raw-request';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const SCHEMA_NAME = /^t_[a-z0-9]{20}$/;
const ISO_DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const refusal = (status: number, code: string) => ({
  status,
  body: { statusCode: status, code, message: expect.any(String) },
});
const invalid = (...fields: string[]) => ({
  status: 400,
  body: {
    statusCode: 400,
    code: 'VALIDATION_FAILED',
    message: expect.any(String),
    errors: fields.map((field) => ({ field, message: expect.any(String) })),
  },
});
/** The answer with one error a field: a field may have several things wrong with it. */
function oneErrorEach({ status, body }: Pick<Answer, 'status' | 'body'>) {
  const errors = body.errors as { field: string }[] | undefined;
  if (!errors) return { status, body };
  const each = errors.filter(({ field }, i) => errors.findIndex((other) => other.field === field) === i);
  return { status, body: { ...body, errors: each } };
}
const NOT_FOUND = refusal(404, 'TENANT_NOT_FOUND');
const NOT_ACTIVE = refusal(403, 'TENANT_NOT_ACTIVE');
const KEY_INVALID = refusal(401, 'MASTER_KEY_INVALID');
const INVALID_TRANSITION = refusal(409, 'INVALID_TRANSITION');

describe.each(ANY_ADAPTER)('The admin API on %s', (platform, adapter) => {
  let sample: SampleApp;
  let count = 0;

  beforeAll(async () => {
    sample = await startSampleApp(adapter);
  });
  afterAll(() => sample.close());

  const freshSlug = () => `shop-${++count}`;

  /** Status and body, for comparing whole. */
  async function admin(line: string, body?: unknown): Promise<Pick<Answer, 'status' | 'body'>> {
    const answer = await sample.admin(line, body);
    return { status: answer.status, body: answer.body as unknown };
  }

  async function visit(tenant: string): Promise<Pick<Answer, 'status' | 'body'>> {
    const answer = await sample.call('GET /orders', { tenant });
    return { status: answer.status, body: answer.body as unknown };
  }

  /** A new tenant, as the API shows it. */
  async function make(wanted: Record<string, unknown> = {}) {
    const { status, body } = await admin('POST /admin/tenants', { slug: freshSlug(), ...wanted });
    expect({ status, body }).toMatchObject({ status: 201 });
    return body;
  }

  const raw = (path: string, request: RawRequest = {}) =>
    rawRequest(sample.url, path, {
      ...request,
      headers: { 'x-master-key': MASTER_KEY, 'content-type': 'application/json', ...request.headers },
    });

  /** Everything of tenants in the database: rows of the registry, and schemas. */
  async function kept() {
    const [row] = await sample.database.query<{ tenants: string; domains: string; schemas: string }>(
      `SELECT (SELECT count(*) FROM tenancy.tenants) AS tenants,
              (SELECT count(*) FROM tenancy.tenant_domains) AS domains,
              (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 't\\_%') AS schemas`,
    );
    return row;
  }

  /** Runs `work`, which must leave rows and schemas as they were. */
  async function keepingNothing<T>(work: () => Promise<T>): Promise<T> {
    const before = await kept();
    const answer = await work();
    expect(await kept()).toEqual(before);
    return answer;
  }

  describe('POST /admin/tenants', () => {
    it('makes a tenant that is served at once, and shows these fields and no others', async () => {
      const slug = freshSlug();
      await expect(visit(slug)).resolves.toEqual(NOT_FOUND);
      const { status, body } = await admin('POST /admin/tenants', { slug });
      expect({ status, body }).toEqual({
        status: 201,
        body: {
          id: expect.stringMatching(UUID_V7),
          slug,
          name: slug,
          schemaName: expect.stringMatching(SCHEMA_NAME),
          place: { server: 'default', isolation: 'schema' },
          schemaVersion: 'CreateOrders1700000000000',
          status: 'active',
          domains: [],
          metadata: {},
          createdAt: expect.stringMatching(ISO_DATE),
          updatedAt: expect.stringMatching(ISO_DATE),
        },
      });
      await expect(visit(slug)).resolves.toEqual({ status: 200, body: [] });
      await expect(visit(body.id)).resolves.toEqual({ status: 200, body: [] });
    });

    it('keeps name, metadata and domains; domains in lower case and punycode, sorted, each once', async () => {
      const slug = freshSlug();
      const metadata = { plan: 'gold', limits: { seats: 5, list: [1, null, 'x'] }, 'ключ 🗝': '"\\\'' };
      const domains = [`WWW.${slug}.com`, `bücher.${slug}.de.`, `www.${slug}.com`];
      const tenant = await make({ slug, name: ' Ünïcode & Söhne "GmbH" ', metadata, domains });
      expect(tenant).toMatchObject({
        name: ' Ünïcode & Söhne "GmbH" ',
        metadata,
        domains: [`www.${slug}.com`, `xn--bcher-kva.${slug}.de`],
      });
      await expect(admin(`GET /admin/tenants/${slug}`)).resolves.toEqual({ status: 200, body: tenant });
    });

    it('clones the template, and writes the slug on the schema for humans', async () => {
      const { schemaName, slug } = await make();
      const rows = await sample.database.query(
        `SELECT c.relname, obj_description(n.oid, 'pg_namespace') AS comment
         FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
         WHERE n.nspname = $1`,
        [schemaName],
      );
      expect(rows).toEqual([
        { relname: 'orders', comment: expect.stringMatching(`^tenant ${slug}; registry `) },
      ]);
    });

    it.each(['active', 'suspended', 'deleted'])(
      'answers 409 for the slug of a tenant that is %s',
      async (status) => {
        const { slug } = await make();
        if (status === 'suspended') await admin(`POST /admin/tenants/${slug}/suspend`);
        if (status === 'deleted') await admin(`DELETE /admin/tenants/${slug}`);
        const answer = await keepingNothing(() => admin('POST /admin/tenants', { slug }));
        expect(answer).toEqual(refusal(409, 'TENANT_SLUG_TAKEN'));
      },
    );

    it('answers 409 for a domain that another tenant has, however it is written', async () => {
      const slug = freshSlug();
      await make({ slug, domains: [`bücher.${slug}.com`] });
      for (const domain of [`bücher.${slug}.com`, `XN--BCHER-KVA.${slug}.com.`]) {
        const answer = await keepingNothing(() =>
          admin('POST /admin/tenants', { slug: freshSlug(), domains: [`free.${slug}.com`, domain] }),
        );
        expect(answer).toEqual(refusal(409, 'DOMAIN_TAKEN'));
      }
    });

    it.each(['www', 'api', 'app', 'admin', 'mail', 'static'])(
      'refuses the reserved slug %s',
      async (slug) => {
        await expect(admin('POST /admin/tenants', { slug })).resolves.toEqual(
          refusal(400, 'TENANT_SLUG_RESERVED'),
        );
      },
    );

    it.each([
      ['absent', undefined],
      ['empty', ''],
      ['61 characters', 'a'.repeat(61)],
      ['100,000 characters', 'a'.repeat(90_000)],
      ['upper case', 'Acme'],
      ['a digit first', '1acme'],
      ['a hyphen first', '-acme'],
      ['a hyphen last', 'acme-'],
      ['an underscore', 'ac_me'],
      ['white space', 'ac me'],
      ['a line feed at the end', 'acme\n'],
      ['a dot', 'ac.me'],
      ['single quotes', "acme'; DROP SCHEMA template CASCADE; --"],
      ['double quotes', 'acme"'],
      ['NUL', 'acme\0'],
      ['only NUL', '\0'],
      ['a Cyrillic a', 'аcme'],
      ['a full-width letter', 'ａcme'],
      ['a dotless i', 'acıd'],
      ['a soft hyphen', 'ac\u00adme'],
      ['half of a surrogate pair', 'acme\ud800'],
      ['a uuid', 'a1890a5d-ac96-774b-bcce-b302099a8057'.slice(0, 8) + '-ac96-774b-bcce-b302099a8057'],
      ['punycode', 'xn--cme-8cd'],
      ['what looks like punycode', 'ab--cd'],
      ['a path', '../acme'],
      ['an encoded path', '%2e%2e'],
      ['a number', 7],
      ['true', true],
      ['null', null],
      ['a list', ['acme']],
      ['an empty list', []],
      ['an object', { slug: 'acme' }],
      ['an object that says it is text', { toString: 'acme', length: 4 }],
    ])('refuses a slug that is or has %s', async (_case, slug) => {
      const answer = await keepingNothing(() => admin('POST /admin/tenants', { slug }));
      expect(oneErrorEach(answer)).toEqual(invalid('slug'));
    });

    it('takes a slug of 1 and of 60 characters', async () => {
      for (const slug of ['a', 'b'.repeat(60)]) {
        await make({ slug });
        await expect(visit(slug)).resolves.toEqual({ status: 200, body: [] });
      }
    });

    it.each([
      ['an empty name', { name: '' }, 'name'],
      ['a blank name', { name: ' \t\u00a0' }, 'name'],
      ['a name of 201 characters', { name: '🙂'.repeat(201) }, 'name'],
      ['a name with NUL', { name: 'a\0b' }, 'name'],
      ['a name with half a surrogate pair', { name: 'a\ud800' }, 'name'],
      ['null as name', { name: null }, 'name'],
      ['a number as name', { name: 5 }, 'name'],
      ['null as metadata', { metadata: null }, 'metadata'],
      ['a list as metadata', { metadata: [] }, 'metadata'],
      ['text as metadata', { metadata: '{}' }, 'metadata'],
      ['metadata beyond 16 kB', { metadata: { text: 'x'.repeat(16_384) } }, 'metadata'],
      ['metadata beyond 16 kB in UTF-8', { metadata: { text: 'ü'.repeat(8_200) } }, 'metadata'],
      ['metadata with NUL', { metadata: { a: { b: ['\0'] } } }, 'metadata'],
      ['metadata with NUL in a key', { metadata: { 'a\0': 1 } }, 'metadata'],
      ['metadata with half a surrogate pair', { metadata: { a: '\udc00' } }, 'metadata'],
      ['null as domains', { domains: null }, 'domains'],
      ['an object as domains', { domains: { 0: 'a.com' } }, 'domains'],
      ['51 domains', { domains: Array.from({ length: 51 }, (_, i) => `d${i}.example.net`) }, 'domains'],
      ['a domain with a port', { domains: ['ok.example.net', 'a.com:80'] }, 'domains.1'],
      ['a domain with a path', { domains: ['a.com/b'] }, 'domains.0'],
      ['a URL as domain', { domains: ['https://a.com'] }, 'domains.0'],
      ['an IPv4 address as domain', { domains: ['127.0.0.1'] }, 'domains.0'],
      ['an IPv4 address in hexadecimal', { domains: ['0x7f.1'] }, 'domains.0'],
      ['an IPv6 address as domain', { domains: ['[::1]'] }, 'domains.0'],
      ['localhost as domain', { domains: ['localhost'] }, 'domains.0'],
      ['a wildcard', { domains: ['*.a.com'] }, 'domains.0'],
      ['an empty domain', { domains: [''] }, 'domains.0'],
      ['a field it does not know', { plan: 'gold' }, 'plan'],
      ['a status', { status: 'active' }, 'status'],
      ['an id', { id: '01890a5d-ac96-774b-bcce-b302099a8057' }, 'id'],
      ['a schema', { schemaName: 'public' }, 'schemaName'],
      ['a field named after a method', { hasOwnProperty: true }, 'hasOwnProperty'],
      ['a constructor', { constructor: null }, 'constructor'],
    ])('refuses %s and names the field', async (_case, fields, field) => {
      const answer = await keepingNothing(() =>
        admin('POST /admin/tenants', { slug: freshSlug(), ...fields }),
      );
      expect(oneErrorEach(answer)).toEqual(invalid(field));
    });

    it('names every bad field at once', async () => {
      const { body } = await admin('POST /admin/tenants', {
        slug: '',
        name: '',
        metadata: {},
        domains: ['x'],
      });
      expect(body.errors.map(({ field }: { field: string }) => field)).toEqual(['slug', 'name', 'domains.0']);
    });

    it.each([
      ['a number as domain', { domains: [5] }],
      ['text as domains', { domains: 'a.com' }],
      ['lists as domains', { domains: [['a.com']] }],
    ])('refuses %s', async (_case, fields) => {
      const answer = await admin('POST /admin/tenants', { slug: freshSlug(), ...fields });
      expect(answer).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED' } });
      expect(answer.body.errors[0].field).toMatch(/^domains/);
    });

    it.each([
      ['no body', undefined],
      ['a list', '[]'],
      ['a list of tenants', '[{"slug":"listed"},{"slug":"listed-2"}]'],
      ['null', 'null'],
      ['text', '"acme"'],
      ['a number', '5'],
      ['true', 'true'],
      ['an empty object', '{}'],
      ['malformed JSON', '{"slug":'],
      ['two objects', '{"slug":"one"}{"slug":"two"}'],
      ['something in Latin-1', Buffer.from('{"slug":"caf\xe9"}', 'latin1').toString('latin1')],
    ])('refuses as its body: %s', async (_case, body) => {
      const answer = await keepingNothing(() => raw('/admin/tenants', { method: 'POST', body }));
      expect(answer).toMatchObject({ status: 400, body: { statusCode: 400, message: expect.anything() } });
    });

    it('refuses a body of more than 1 MB, and serves the next request', async () => {
      const body = JSON.stringify({ slug: 'large', metadata: { text: 'x'.repeat(1_100_000) } });
      const answer = await keepingNothing(() => raw('/admin/tenants', { method: 'POST', body }));
      expect(answer).toMatchObject({ status: 413, body: { statusCode: 413 } });
      await make();
    });

    it('takes metadata of 16 kB and of 60 levels, and refuses 1,000 levels', async () => {
      const text = 'x'.repeat(16_384 - '{"text":""}'.length);
      await expect(make({ metadata: { text } })).resolves.toMatchObject({ metadata: { text } });
      const nested = (levels: number): object => (levels === 0 ? {} : { a: nested(levels - 1) });
      await expect(make({ metadata: nested(60) })).resolves.toMatchObject({ metadata: nested(60) });
      await expect(
        admin('POST /admin/tenants', { slug: freshSlug(), metadata: nested(1_000) }),
      ).resolves.toEqual(invalid('metadata'));
    });

    it.each(['__proto__', 'constructor', 'prototype'])(
      'touches no prototype for a key of metadata named %s, and keeps it as a key like any other',
      async (key) => {
        // In the order that PostgreSQL gives them back.
        const metadata = `{"nested":[{"${key}":{"polluted":true}}],"${key}":{"polluted":true}}`;
        const body = `{"slug":"${freshSlug()}","metadata":${metadata}}`;
        const answer = await raw('/admin/tenants', { method: 'POST', body });
        expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
        // Fastify itself refuses such a body.
        if (platform === 'Fastify' && key === '__proto__') return expect(answer.status).toBe(400);
        expect(answer.status).toBe(201);
        expect(JSON.stringify(answer.body.metadata)).toBe(metadata);
        expect(await raw(`/admin/tenants/${answer.body.slug}`)).toEqual({ status: 200, body: answer.body });
      },
    );

    it('makes one tenant of eight that ask for one slug at once', async () => {
      const before = await kept();
      const slug = freshSlug();
      const answers = await Promise.all(
        Array.from({ length: 8 }, () =>
          admin('POST /admin/tenants', { slug, domains: [`${slug}.example.net`] }),
        ),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array<number>(7).fill(409)]);
      for (const answer of answers.filter(({ status }) => status === 409)) {
        expect(answer).toEqual(refusal(409, 'TENANT_SLUG_TAKEN'));
      }
      const after = await kept();
      expect(after).toEqual({
        tenants: String(Number(before.tenants) + 1),
        domains: String(Number(before.domains) + 1),
        schemas: String(Number(before.schemas) + 1),
      });
      await expect(visit(slug)).resolves.toEqual({ status: 200, body: [] });
    });

    it('gives one domain to one of eight that ask for it at once', async () => {
      const domain = `${freshSlug()}.example.net`;
      const answers = await Promise.all(
        Array.from({ length: 8 }, () =>
          admin('POST /admin/tenants', { slug: freshSlug(), domains: [domain] }),
        ),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array<number>(7).fill(409)]);
      expect(answers.find(({ status }) => status === 409)).toEqual(refusal(409, 'DOMAIN_TAKEN'));
    });
  });

  describe('a creation that fails', () => {
    it('because the template cannot be cloned leaves nothing, and the next one works', async () => {
      const slug = freshSlug();
      await sample.database.query('CREATE EXTENSION citext SCHEMA template');
      await sample.database.query(
        `INSERT INTO tenancy.template_migrations (name, timestamp) VALUES ('ByHand1800000000000', 1800000000000)`,
      );
      const answer = await keepingNothing(() => admin('POST /admin/tenants', { slug }));
      expect(answer).toMatchObject({
        status: 500,
        body: { code: 'SCHEMA_NOT_CLONEABLE', message: expect.stringContaining('citext') },
      });
      await sample.database.query('DROP EXTENSION citext');
      await expect(make({ slug })).resolves.toMatchObject({ slug });
    });

    it('because its session was terminated leaves neither row nor schema, is 503, and the next one works', async () => {
      const slug = freshSlug();
      const other = new Client({ connectionString: sample.database.url });
      await other.connect();
      try {
        // Row, schema and tables are there when COMMENT ON SCHEMA comes to wait for this lock.
        await other.query('BEGIN');
        await other.query('LOCK TABLE pg_catalog.pg_description IN EXCLUSIVE MODE');
        const before = await kept();
        const answer = admin('POST /admin/tenants', { slug });
        const pid = await waitingBackend(other);
        await other.query('SELECT pg_terminate_backend($1)', [pid]);
        await expect(answer).resolves.toEqual(refusal(503, 'TENANCY_UNAVAILABLE'));
        expect(await kept()).toEqual(before);
        await expect(admin(`GET /admin/tenants/${slug}`)).resolves.toEqual(NOT_FOUND);
      } finally {
        await other.end();
      }
      await expect(make({ slug })).resolves.toMatchObject({ slug });
      await expect(visit(slug)).resolves.toEqual({ status: 200, body: [] });
    });

    it('because its statement was cancelled leaves neither row nor schema, and the next one works', async () => {
      const slug = freshSlug();
      const other = new Client({ connectionString: sample.database.url });
      await other.connect();
      try {
        await other.query('BEGIN');
        await other.query('LOCK TABLE pg_catalog.pg_description IN EXCLUSIVE MODE');
        const before = await kept();
        const answer = admin('POST /admin/tenants', { slug });
        await other.query('SELECT pg_cancel_backend($1)', [await waitingBackend(other)]);
        await expect(answer).resolves.toEqual(refusal(500, 'PROVISIONING_FAILED'));
        expect(await kept()).toEqual(before);
      } finally {
        await other.end();
      }
      await expect(make({ slug })).resolves.toMatchObject({ slug });
    });
  });

  describe('GET /admin/tenants', () => {
    it('shows each tenant once, page after page, in the order of creation', async () => {
      const prefix = `paged-${platform.toLowerCase()}`;
      const made: string[] = [];
      for (const i of [1, 2, 3, 4, 5]) made.push((await make({ slug: `${prefix}-${i}` })).slug as string);
      for (const limit of [1, 2, 5, 100]) {
        const seen: string[] = [];
        let cursor: string | null = '';
        do {
          const after: string = cursor ? `&cursor=${cursor}` : '';
          const { status, body } = await admin(`GET /admin/tenants?limit=${limit}&search=${prefix}${after}`);
          expect({ status, body }).toEqual({
            status: 200,
            body: { data: expect.any(Array), nextCursor: body.nextCursor },
          });
          expect(body.data.length).toBeLessThanOrEqual(limit);
          seen.push(...body.data.map(({ slug }: { slug: string }) => slug));
          cursor = body.nextCursor as string | null;
        } while (cursor !== null);
        expect(seen).toEqual(made);
      }
    });

    it('covers all tenants without any filter, 50 a page unless told otherwise', async () => {
      const { tenants } = await kept();
      const seen = new Set<string>();
      let pages = 0;
      for (let cursor: string | null = ''; cursor !== null; pages++) {
        const { body } = await admin(`GET /admin/tenants${cursor && `?cursor=${cursor}`}`);
        expect(body.data.length).toBeLessThanOrEqual(50);
        for (const { id } of body.data as { id: string }[]) {
          expect(seen).not.toContain(id);
          seen.add(id);
        }
        cursor = body.nextCursor as string | null;
      }
      expect(seen.size).toBe(Number(tenants));
      expect(pages).toBe(Math.ceil(Number(tenants) / 50));
    });

    it('goes on where it was when tenants are made between two pages', async () => {
      const prefix = `between-${platform.toLowerCase()}`;
      await make({ slug: `${prefix}-1` });
      await make({ slug: `${prefix}-2` });
      const first = await admin(`GET /admin/tenants?limit=1&search=${prefix}`);
      await make({ slug: `${prefix}-0` });
      const rest = await admin(`GET /admin/tenants?search=${prefix}&cursor=${first.body.nextCursor}`);
      expect(rest.body.data.map(({ slug }: { slug: string }) => slug)).toEqual([
        `${prefix}-2`,
        `${prefix}-0`,
      ]);
    });

    it('shows the same fields as everywhere', async () => {
      const tenant = await make();
      const { body } = await admin(`GET /admin/tenants?search=${tenant.slug}`);
      expect(body).toEqual({ data: [tenant], nextCursor: null });
    });

    it('finds by status', async () => {
      const tenant = await make();
      const suspended = await admin(`POST /admin/tenants/${tenant.id}/suspend`);
      const bySlug = `search=${tenant.slug}`;
      await expect(admin(`GET /admin/tenants?status=active&${bySlug}`)).resolves.toMatchObject({
        body: { data: [] },
      });
      await expect(admin(`GET /admin/tenants?status=suspended&${bySlug}`)).resolves.toMatchObject({
        body: { data: [suspended.body] },
      });
    });

    it('finds a part of the slug or the name, in any case; % and _ stand for themselves', async () => {
      const mark = `m${platform.toLowerCase()}`;
      await make({ slug: `${mark}-a`, name: `${mark} 100% wool` });
      await make({ slug: `${mark}-b`, name: `${mark} 100 wool_2` });
      await make({ slug: `${mark}-c`, name: `${mark} back\\slash ' "` });
      const found = async (search: string) => {
        const { body } = await admin(`GET /admin/tenants?search=${encodeURIComponent(search)}`);
        return body.data.map(({ slug }: { slug: string }) => slug.slice(-1)).join('');
      };
      expect(await found(mark)).toBe('abc');
      expect(await found(mark.toUpperCase())).toBe('abc');
      expect(await found(`${mark} 100%`)).toBe('a');
      expect(await found(`${mark}%`)).toBe('');
      expect(await found(`${mark}_a`)).toBe('');
      expect(await found('wool_')).toBe('b');
      expect(await found('back\\slash')).toBe('c');
      expect(await found(`' "`)).toBe('c');
      expect(await found('\0')).toBe('');
      expect(await found("'; DROP TABLE tenancy.tenants; --")).toBe('');
    });

    it.each([
      ['limit=0', 'limit'],
      ['limit=101', 'limit'],
      ['limit=-1', 'limit'],
      ['limit=1.5', 'limit'],
      ['limit=abc', 'limit'],
      ['limit=', 'limit'],
      ['limit=1e400', 'limit'],
      ['limit=1&limit=2', 'limit'],
      ['limit[a]=1', 'limit'],
      ['cursor=', 'cursor'],
      ['cursor=abc', 'cursor'],
      ['cursor=%00', 'cursor'],
      [`cursor=${'a'.repeat(5_000)}`, 'cursor'],
      [`cursor=${Buffer.from("' OR true --").toString('base64url')}`, 'cursor'],
      ['cursor=a&cursor=b', 'cursor'],
      ['status=asleep', 'status'],
      ['status=purged', 'status'],
      ['status=', 'status'],
      ['search=a&search=b', 'search'],
      ['page=2', 'page'],
    ])('refuses ?%s', async (query, field) => {
      const { status, body } = await admin(`GET /admin/tenants?${query}`);
      expect(status).toBe(400);
      expect(body).toMatchObject({ statusCode: 400, code: 'VALIDATION_FAILED' });
      expect(body.errors[0].field).toContain(field);
    });

    it('refuses a cursor that was changed by a character', async () => {
      await make();
      await make();
      const { body } = await admin('GET /admin/tenants?limit=1');
      for (const cursor of [`${body.nextCursor}A`, `${body.nextCursor}=`, String(body.nextCursor).slice(1)]) {
        await expect(admin(`GET /admin/tenants?cursor=${cursor}`)).resolves.toEqual(invalid('cursor'));
      }
    });
  });

  describe('GET /admin/tenants/:tenant', () => {
    it('finds by slug and by id, in upper case too', async () => {
      const tenant = await make();
      for (const reference of [tenant.slug, tenant.id, tenant.id.toUpperCase()]) {
        await expect(admin(`GET /admin/tenants/${reference}`)).resolves.toEqual({
          status: 200,
          body: tenant,
        });
      }
    });

    it.each([
      ['an unknown slug', 'nobody'],
      ['an unknown id', '01890a5d-ac96-774b-bcce-b302099a8057'],
      ['an id of zeros', '00000000-0000-0000-0000-000000000000'],
      ['NUL', '%00'],
      ['NUL within', 'ac%00me'],
      ['an encoded path', '%2e%2e'],
      ['an encoded slash', 'ac%2fme'],
      ['quotes', '%27%20OR%20true%20--'],
      ['a percent sign', '%25'],
      ['look-alikes', '%D0%B0cme'],
      ['upper case', 'SHOP-1'],
      ['__proto__', '__proto__'],
      ['a schema', 'template'],
    ])('answers 404 to %s, and so does every other call', async (_case, reference) => {
      const path = `/admin/tenants/${reference}`;
      await expect(raw(path)).resolves.toEqual(NOT_FOUND);
      await expect(raw(path, { method: 'PATCH', body: '{}' })).resolves.toEqual(NOT_FOUND);
      for (const action of ['suspend', 'activate', 'restore']) {
        await expect(raw(`${path}/${action}`, { method: 'POST', body: '{}' })).resolves.toEqual(NOT_FOUND);
      }
      await expect(
        rawRequest(sample.url, path, { method: 'DELETE', headers: { 'x-master-key': MASTER_KEY } }),
      ).resolves.toEqual(NOT_FOUND);
      for (const method of ['PUT', 'DELETE']) {
        const headers = { 'x-master-key': MASTER_KEY };
        await expect(
          rawRequest(sample.url, `${path}/domains/free.example.org`, { method, headers }),
        ).resolves.toEqual(NOT_FOUND);
      }
    });

    it.each(['%', '%zz', '%e0%a4%a', 'a'.repeat(10_000)])(
      'answers 400, 404 or 414 to %p',
      async (reference) => {
        expect([400, 404, 414]).toContain((await raw(`/admin/tenants/${reference}`)).status);
      },
    );
  });

  describe('PATCH /admin/tenants/:tenant', () => {
    it('changes the name and nothing else', async () => {
      const tenant = await make({ metadata: { plan: 'gold' }, domains: [`${freshSlug()}.example.net`] });
      const { status, body } = await admin(`PATCH /admin/tenants/${tenant.slug}`, { name: 'New name' });
      expect({ status, body }).toEqual({
        status: 200,
        body: { ...tenant, name: 'New name', updatedAt: body.updatedAt },
      });
      expect(body.updatedAt > tenant.updatedAt).toBe(true);
      await expect(admin(`GET /admin/tenants/${tenant.id}`)).resolves.toEqual({ status: 200, body });
    });

    it('merges metadata: null removes a key, objects merge, anything else replaces', async () => {
      const { id } = await make({
        metadata: { plan: 'gold', limits: { seats: 5, disks: 2 }, tags: ['a', 'b'] },
      });
      const { body } = await admin(`PATCH /admin/tenants/${id}`, {
        metadata: {
          plan: null,
          limits: { seats: 9, disks: null },
          tags: ['c'],
          added: { deep: { null: null } },
        },
      });
      expect(body.metadata).toEqual({ limits: { seats: 9 }, tags: ['c'], added: { deep: {} } });
    });

    it('touches no prototype', async () => {
      const { id } = await make({ metadata: { plan: 'gold' } });
      const body = '{"metadata":{"__proto__":{"polluted":true},"constructor":null,"plan":"silver"}}';
      const answer = await raw(`/admin/tenants/${id}`, { method: 'PATCH', body });
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
      if (platform === 'Fastify') return expect(answer.status).toBe(400);
      expect(answer).toMatchObject({ status: 200, body: { metadata: { plan: 'silver' } } });
    });

    it('limits metadata after the merge', async () => {
      const { id, metadata } = await make({ metadata: { a: 'x'.repeat(9_000) } });
      const patch = { metadata: { b: 'x'.repeat(9_000) } };
      await expect(admin(`PATCH /admin/tenants/${id}`, patch)).resolves.toEqual(invalid('metadata'));
      await expect(admin(`GET /admin/tenants/${id}`)).resolves.toMatchObject({ body: { metadata } });
      const swap = { metadata: { a: null, b: 'x'.repeat(9_000) } };
      await expect(admin(`PATCH /admin/tenants/${id}`, swap)).resolves.toMatchObject({ status: 200 });
    });

    it('renames: the new slug works at once, the old one is nobody and free, the rows stay', async () => {
      const tenant = await make();
      const renamed = freshSlug();
      await sample.call('POST /orders', { tenant: tenant.slug, body: { description: 'tea' } });
      await expect(visit(renamed)).resolves.toEqual(NOT_FOUND);
      await expect(admin(`PATCH /admin/tenants/${tenant.slug}`, { slug: renamed })).resolves.toMatchObject({
        status: 200,
        body: { id: tenant.id, slug: renamed, schemaName: tenant.schemaName },
      });
      await expect(visit(renamed)).resolves.toMatchObject({ status: 200, body: [{ description: 'tea' }] });
      await expect(visit(tenant.slug)).resolves.toEqual(NOT_FOUND);
      await expect(make({ slug: tenant.slug })).resolves.toMatchObject({ slug: tenant.slug });
      await expect(visit(tenant.slug)).resolves.toEqual({ status: 200, body: [] });
      const [{ comment }] = await sample.database.query<{ comment: string }>(
        `SELECT obj_description($1::regnamespace, 'pg_namespace') AS comment`,
        [tenant.schemaName],
      );
      expect(comment).toMatch(new RegExp(`^tenant ${renamed}; registry [0-9a-f-]{36}$`));
    });

    it('refuses the slug of another tenant, of a deleted one too, and a reserved one', async () => {
      const [mine, other] = [await make(), await make()];
      const rename = () => admin(`PATCH /admin/tenants/${mine.id}`, { slug: other.slug, name: 'kept?' });
      await expect(rename()).resolves.toEqual(refusal(409, 'TENANT_SLUG_TAKEN'));
      await admin(`DELETE /admin/tenants/${other.id}`);
      await expect(rename()).resolves.toEqual(refusal(409, 'TENANT_SLUG_TAKEN'));
      await expect(admin(`PATCH /admin/tenants/${mine.id}`, { slug: 'www' })).resolves.toEqual(
        refusal(400, 'TENANT_SLUG_RESERVED'),
      );
      await expect(admin(`GET /admin/tenants/${mine.id}`)).resolves.toEqual({ status: 200, body: mine });
    });

    it('that changes nothing records nothing', async () => {
      const tenant = await make({ metadata: { plan: 'gold', limits: { seats: 5 } } });
      for (const patch of [
        {},
        { name: tenant.name },
        { slug: tenant.slug },
        { metadata: {} },
        { metadata: { absent: null, plan: 'gold', limits: {} } },
      ]) {
        await expect(admin(`PATCH /admin/tenants/${tenant.id}`, patch)).resolves.toEqual({
          status: 200,
          body: tenant,
        });
      }
    });

    it.each([
      ['a bad slug', { slug: 'Not a slug' }, 'slug'],
      ['null as slug', { slug: null }, 'slug'],
      ['an empty name', { name: '' }, 'name'],
      ['null as name', { name: null }, 'name'],
      ['null as metadata', { metadata: null }, 'metadata'],
      ['a list as metadata', { metadata: ['a'] }, 'metadata'],
      ['text as metadata', { metadata: 'a' }, 'metadata'],
      ['NUL in metadata', { metadata: { a: '\0' } }, 'metadata'],
      ['a status', { status: 'deleted' }, 'status'],
      ['a schema', { schemaName: 'public' }, 'schemaName'],
      ['domains', { domains: [] }, 'domains'],
    ])('refuses %s and names the field', async (_case, patch, field) => {
      const tenant = await make();
      await expect(admin(`PATCH /admin/tenants/${tenant.id}`, patch)).resolves.toEqual(invalid(field));
      await expect(admin(`GET /admin/tenants/${tenant.id}`)).resolves.toEqual({ status: 200, body: tenant });
    });

    it.each(['[]', '[{"name":"a"}]', '"name"', '{"name":'])('refuses as its body: %s', async (body) => {
      const tenant = await make();
      const answer = await raw(`/admin/tenants/${tenant.id}`, { method: 'PATCH', body });
      expect(answer).toMatchObject({ status: 400, body: { statusCode: 400 } });
      await expect(admin(`GET /admin/tenants/${tenant.id}`)).resolves.toEqual({ status: 200, body: tenant });
    });
  });

  describe('the life of a tenant', () => {
    it('suspended, it gets 403 at once by every name; activated, 200 at once', async () => {
      const slug = freshSlug();
      const tenant = await make({ slug, domains: [`${slug}.example.net`] });
      const byDomain = () => rawRequest(sample.url, '/orders', { headers: { host: `${slug}.example.net` } });
      await expect(visit(slug)).resolves.toMatchObject({ status: 200 });
      await expect(byDomain()).resolves.toMatchObject({ status: 200 });
      const suspended = await admin(`POST /admin/tenants/${slug}/suspend`, { reason: 'unpaid' });
      expect(suspended).toEqual({
        status: 200,
        body: { ...tenant, status: 'suspended', updatedAt: suspended.body.updatedAt },
      });
      await expect(visit(slug)).resolves.toEqual(NOT_ACTIVE);
      await expect(visit(tenant.id)).resolves.toEqual(NOT_ACTIVE);
      await expect(byDomain()).resolves.toEqual(NOT_ACTIVE);
      const activated = await admin(`POST /admin/tenants/${slug}/activate`);
      expect(activated).toEqual({ status: 200, body: { ...tenant, updatedAt: activated.body.updatedAt } });
      await expect(visit(slug)).resolves.toMatchObject({ status: 200 });
      await expect(byDomain()).resolves.toMatchObject({ status: 200 });
    });

    it('deleted, it gets 403 at once and keeps its rows; restored, it has them again', async () => {
      const { slug } = await make();
      await sample.call('POST /orders', { tenant: slug, body: { description: 'tea' } });
      await expect(admin(`DELETE /admin/tenants/${slug}`)).resolves.toMatchObject({
        status: 200,
        body: { slug, status: 'deleted' },
      });
      await expect(visit(slug)).resolves.toEqual(NOT_ACTIVE);
      await expect(admin(`POST /admin/tenants/${slug}/restore`)).resolves.toMatchObject({
        status: 200,
        body: { status: 'active' },
      });
      await expect(visit(slug)).resolves.toMatchObject({ status: 200, body: [{ description: 'tea' }] });
    });

    it('suspended and then deleted, it is restored as suspended', async () => {
      const { slug } = await make();
      await admin(`POST /admin/tenants/${slug}/suspend`);
      await admin(`DELETE /admin/tenants/${slug}`);
      await expect(admin(`POST /admin/tenants/${slug}/restore`)).resolves.toMatchObject({
        status: 200,
        body: { status: 'suspended' },
      });
      await expect(visit(slug)).resolves.toEqual(NOT_ACTIVE);
      await expect(admin(`POST /admin/tenants/${slug}/activate`)).resolves.toMatchObject({
        body: { status: 'active' },
      });
    });

    it('has a repeated action answered with 200, and nothing recorded', async () => {
      const { slug } = await make();
      const lines = [
        `POST /admin/tenants/${slug}/activate`,
        `POST /admin/tenants/${slug}/suspend`,
        `POST /admin/tenants/${slug}/activate`,
        `DELETE /admin/tenants/${slug}`,
        `POST /admin/tenants/${slug}/restore`,
      ];
      for (const line of lines) {
        const first = await admin(line);
        expect(first.status).toBe(200);
        await expect(admin(line)).resolves.toEqual(first);
        await expect(admin(`GET /admin/tenants/${slug}`)).resolves.toEqual(first);
      }
    });

    it.each(['suspend', 'activate'])('refuses to %s what is deleted', async (action) => {
      const { slug } = await make();
      const deleted = await admin(`DELETE /admin/tenants/${slug}`);
      await expect(admin(`POST /admin/tenants/${slug}/${action}`)).resolves.toEqual(INVALID_TRANSITION);
      await expect(admin(`GET /admin/tenants/${slug}`)).resolves.toEqual(deleted);
    });

    it('refuses a query it does not know, instead of deleting and letting the caller believe in more', async () => {
      const tenant = await make();
      for (const query of ['purge', 'purge=', 'purge=1', 'purge=TRUE', 'purge=true&purge=true', 'force=1']) {
        const answer = await admin(`DELETE /admin/tenants/${tenant.id}?${query}`);
        expect(oneErrorEach(answer)).toEqual(invalid(query.split('=')[0]));
      }
      await expect(admin(`GET /admin/tenants/${tenant.id}`)).resolves.toEqual({ status: 200, body: tenant });
      await expect(visit(tenant.slug)).resolves.toMatchObject({ status: 200 });
    });

    it.each([
      ['a number as reason', { reason: 5 }, 'reason'],
      ['null as reason', { reason: null }, 'reason'],
      ['a reason of 501 characters', { reason: 'x'.repeat(501) }, 'reason'],
      ['a reason with NUL', { reason: 'a\0' }, 'reason'],
      ['a field it does not know', { because: 'x' }, 'because'],
    ])('refuses %s', async (_case, body, field) => {
      const tenant = await make();
      const answer = await admin(`POST /admin/tenants/${tenant.id}/suspend`, body);
      expect(oneErrorEach(answer)).toEqual(invalid(field));
      await expect(admin(`GET /admin/tenants/${tenant.id}`)).resolves.toEqual({ status: 200, body: tenant });
    });

    it('survives eight contradictory orders at once: each is answered, and the last state is one of them', async () => {
      const { slug } = await make();
      const actions = [
        'suspend',
        'activate',
        'suspend',
        'activate',
        'suspend',
        'activate',
        'suspend',
        'activate',
      ];
      const answers = await Promise.all(
        actions.map((action) => admin(`POST /admin/tenants/${slug}/${action}`)),
      );
      expect(answers.map(({ status }) => status)).toEqual(actions.map(() => 200));
      const { body } = await admin(`GET /admin/tenants/${slug}`);
      expect(['active', 'suspended']).toContain(body.status);
      await expect(visit(slug)).resolves.toMatchObject({ status: body.status === 'active' ? 200 : 403 });
    });
  });

  describe('PUT and DELETE /admin/tenants/:tenant/domains/:domain', () => {
    const visitBy = (host: string) => rawRequest(sample.url, '/tenant', { headers: { host } });

    it('gives a domain, which works at once, and takes it away, which works at once', async () => {
      const tenant = await make();
      const domain = `${tenant.slug}.example.org`;
      await expect(visitBy(domain)).resolves.toEqual(refusal(400, 'TENANT_MISSING'));
      const given = await admin(`PUT /admin/tenants/${tenant.slug}/domains/${domain}`);
      expect(given).toEqual({
        status: 200,
        body: { ...tenant, domains: [domain], updatedAt: given.body.updatedAt },
      });
      await expect(visitBy(domain)).resolves.toMatchObject({ status: 200, body: { slug: tenant.slug } });
      const taken = await admin(`DELETE /admin/tenants/${tenant.id}/domains/${domain}`);
      expect(taken).toMatchObject({ status: 200, body: { domains: [] } });
      await expect(visitBy(domain)).resolves.toEqual(refusal(400, 'TENANT_MISSING'));
    });

    it('keeps it in lower case and punycode, and knows it by every spelling', async () => {
      const tenant = await make();
      const path = `/admin/tenants/${tenant.slug}/domains`;
      await expect(
        admin(`PUT ${path}/${encodeURIComponent(`Bücher.${tenant.slug}.DE.`)}`),
      ).resolves.toMatchObject({ status: 200, body: { domains: [`xn--bcher-kva.${tenant.slug}.de`] } });
      await expect(visitBy(`XN--Bcher-KVA.${tenant.slug}.de.:3000`)).resolves.toMatchObject({ status: 200 });
      await expect(
        admin(`DELETE ${path}/${encodeURIComponent(`BÜCHER.${tenant.slug}.de`)}`),
      ).resolves.toMatchObject({ status: 200, body: { domains: [] } });
    });

    it('has a repeated call answered with 200, and nothing recorded', async () => {
      const tenant = await make();
      const path = `/admin/tenants/${tenant.slug}/domains/${tenant.slug}.example.org`;
      for (const method of ['PUT', 'DELETE']) {
        const first = await admin(`${method} ${path}`);
        expect(first.status).toBe(200);
        await expect(admin(`${method} ${path}`)).resolves.toEqual(first);
      }
    });

    it('refuses a domain that another tenant has, and never takes it from that one', async () => {
      const [mine, other] = [await make(), await make()];
      const domain = `${mine.slug}.example.org`;
      await admin(`PUT /admin/tenants/${mine.slug}/domains/${domain}`);
      await expect(
        admin(`PUT /admin/tenants/${other.slug}/domains/${domain.toUpperCase()}`),
      ).resolves.toEqual(refusal(409, 'DOMAIN_TAKEN'));
      await expect(admin(`DELETE /admin/tenants/${other.slug}/domains/${domain}`)).resolves.toEqual({
        status: 200,
        body: other,
      });
      await expect(visitBy(domain)).resolves.toMatchObject({ status: 200, body: { slug: mine.slug } });
    });

    it.each([
      ['a port', 'shop.example.org:8080'],
      ['a path', 'shop.example.org%2Fa'],
      ['a scheme', 'https:%2F%2Fshop.example.org'],
      ['an IPv4 address', '127.0.0.1'],
      ['an IPv4 address in hexadecimal', '0x7f.0.0.1'],
      ['an IPv6 address', '%5B::1%5D'],
      ['a single label', 'localhost'],
      ['two trailing dots', 'shop.example.org..'],
      ['an empty label', 'shop..example.org'],
      ['an underscore', 'my_shop.example.org'],
      ['white space', 'my%20shop.example.org'],
      ['NUL', 'shop%00.example.org'],
      ['quotes', "o'neil.example.org"],
      ['a label of 64 characters', `${'a'.repeat(64)}.org`],
    ])('refuses %s', async (_case, domain) => {
      const tenant = await make();
      for (const method of ['PUT', 'DELETE']) {
        const headers = { 'x-master-key': MASTER_KEY };
        await expect(
          rawRequest(sample.url, `/admin/tenants/${tenant.slug}/domains/${domain}`, { method, headers }),
        ).resolves.toEqual(invalid('domain'));
      }
      await expect(admin(`GET /admin/tenants/${tenant.slug}`)).resolves.toEqual({
        status: 200,
        body: tenant,
      });
    });
  });

  describe('the master key', () => {
    it.each<[string, Record<string, string | string[]>]>([
      ['missing', {}],
      ['empty', { 'x-master-key': '' }],
      ['wrong', { 'x-master-key': 'b'.repeat(MASTER_KEY.length) }],
      ['all but its last character', { 'x-master-key': MASTER_KEY.slice(0, -1) }],
      ['one character more', { 'x-master-key': `${MASTER_KEY}x` }],
      ['in upper case', { 'x-master-key': MASTER_KEY.toUpperCase() }],
      ['10 kB', { 'x-master-key': 'k'.repeat(10_000) }],
      ['repeated', { 'x-master-key': [MASTER_KEY, MASTER_KEY] }],
      ['repeated, once wrong', { 'x-master-key': [MASTER_KEY, 'wrong'] }],
      ['in another header', { authorization: `Bearer ${MASTER_KEY}` }],
    ])('%s is 401 on every call, and nothing happens', async (_case, headers) => {
      const tenant = await make();
      const path = `/admin/tenants/${tenant.slug}`;
      const calls: [string, string][] = [
        ['POST', '/admin/tenants'],
        ['GET', '/admin/tenants'],
        ['GET', path],
        ['GET', '/admin/tenants/nobody'],
        ['PATCH', path],
        ['POST', `${path}/suspend`],
        ['POST', `${path}/activate`],
        ['POST', `${path}/restore`],
        ['DELETE', path],
        ['PUT', `${path}/domains/a.example.com`],
        ['DELETE', `${path}/domains/a.example.com`],
      ];
      await keepingNothing(async () => {
        for (const [method, url] of calls) {
          await expect(rawRequest(sample.url, url, { method, headers })).resolves.toEqual(KEY_INVALID);
        }
      });
      await expect(admin(`GET ${path}`)).resolves.toEqual({ status: 200, body: tenant });
    });

    it('is asked for before the body is looked at', async () => {
      await expect(sample.call('POST /admin/tenants', { body: { slug: '' } })).resolves.toMatchObject(
        KEY_INVALID,
      );
    });

    it('opens nothing else: a tenant’s rows still need a tenant', async () => {
      await expect(admin('GET /orders')).resolves.toEqual(refusal(400, 'TENANT_MISSING'));
    });

    it('suffices, whatever the request claims about tenants', async () => {
      const headers = { 'x-master-key': MASTER_KEY, 'x-tenant-id': 'nobody', host: 'nobody.localhost' };
      await expect(rawRequest(sample.url, '/admin/tenants?limit=1', { headers })).resolves.toMatchObject({
        status: 200,
      });
    });
  });
});

/** The process id of the session that waits for the lock that `holder` has. */
async function waitingBackend(holder: Client): Promise<number> {
  for (;;) {
    const { rows } = await holder.query<{ pid: number }>(
      `SELECT pid FROM pg_locks
       WHERE NOT granted AND relation = 'pg_catalog.pg_description'::regclass
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    if (rows.length > 0) return rows[0].pid;
  }
}
