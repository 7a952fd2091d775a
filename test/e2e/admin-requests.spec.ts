import { type RawRequest, rawRequest } from '../support/raw-request';
import { ADAPTERS, MASTER_KEY, type SampleApp, startSampleApp } from '../support/sample-app';

const JSON_TYPE = 'application/json';
const MERGE_PATCH = 'application/merge-patch+json';

const invalid = (...fields: string[]) => ({
  status: 400,
  body: {
    statusCode: 400,
    code: 'VALIDATION_FAILED',
    message: expect.any(String),
    errors: fields.map((field) => ({ field, message: expect.any(String) })),
  },
});
const refusal = (status: number, code: string) => ({
  status,
  body: { statusCode: status, code, message: expect.any(String) },
});

describe.each(ADAPTERS)('Requests to the admin API on %s', (platform, adapter) => {
  let sample: SampleApp;
  let path: string;

  beforeAll(async () => {
    sample = await startSampleApp(adapter);
    // One for all: what is refused changes nothing of it.
    await sample.admin('POST /admin/tenants', { slug: 'shop' });
    path = '/admin/tenants/shop';
  });
  afterAll(() => sample?.close());

  const send = (line: string, type?: string, body?: string, headers: RawRequest['headers'] = {}) => {
    const [method, url] = line.split(' ');
    return rawRequest(sample.url, url, {
      method,
      headers: {
        'x-master-key': MASTER_KEY,
        ...(type !== undefined && { 'content-type': type }),
        // Node gives none to a DELETE.
        ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
        ...headers,
      },
      body,
    });
  };
  const shown = async () => (await sample.admin(`GET ${path}`)).body as Record<string, unknown>;

  /** Runs `work`, which must leave the tenant and the number of tenants as they were. */
  async function changingNothing(work: () => Promise<void>): Promise<void> {
    const state = async () => ({
      tenant: await shown(),
      tenants: await sample.database.query('SELECT count(*) FROM tenancy.tenants'),
    });
    const before = await state();
    await work();
    expect(await state()).toEqual(before);
  }

  describe('with a query that the call does not take', () => {
    const CALLS = [
      'POST /admin/tenants',
      'GET :tenant',
      'PATCH :tenant',
      'POST :tenant/suspend',
      'POST :tenant/activate',
      'POST :tenant/restore',
      'PUT :tenant/domains/a.example.org',
      'DELETE :tenant/domains/a.example.org',
      'DELETE :tenant',
      'GET :tenant/audit',
      'GET /admin/tenants',
    ];

    it.each(CALLS)('%s is refused, and nothing happens', async (line) => {
      await changingNothing(async () => {
        for (const [query, field] of [
          ['force=true', 'force'],
          ['dry_run', 'dry_run'],
          ['toString=1', 'toString'],
        ]) {
          const answer = await send(`${line.replace(':tenant', path)}?${query}`, ...bodyFor(line));
          expect(answer).toEqual(invalid(field));
        }
      });
    });

    function bodyFor(line: string): [string?, string?] {
      if (line === 'POST /admin/tenants') return [JSON_TYPE, JSON.stringify({ slug: `new-shop` })];
      return line.startsWith('POST') || line.startsWith('PATCH') ? [JSON_TYPE, '{}'] : [];
    }
  });

  describe('with a body that the call does not take', () => {
    it.each(['PUT :tenant/domains/a.example.org', 'DELETE :tenant/domains/a.example.org', 'DELETE :tenant'])(
      '%s is refused, and nothing happens',
      async (line) => {
        const url = line.replace(':tenant', path);
        await changingNothing(async () => {
          await expect(send(url, JSON_TYPE, '{"reason":"x"}')).resolves.toEqual(invalid('reason'));
          await expect(send(url, 'text/plain', 'x')).resolves.toEqual(refusal(415, 'UNSUPPORTED_MEDIA_TYPE'));
        });
        await expect(send(url, JSON_TYPE, '{}')).resolves.toMatchObject({ status: 200 });
      },
    );
  });

  describe('with a body that is not JSON', () => {
    const TYPES = [
      'application/x-www-form-urlencoded',
      'text/plain',
      'text/plain; charset=application/json',
      'application/jsonp',
      'application/vnd.api+json',
      'application/xml',
      'multipart/form-data; boundary=x',
      'json',
      '',
      undefined,
    ];

    it.each(TYPES)('of type %p are 415, and nothing happens', async (type) => {
      await changingNothing(async () => {
        for (const line of ['POST /admin/tenants', `PATCH ${path}`, `POST ${path}/suspend`]) {
          const body = type?.includes('form') ? `slug=new-shop` : `{"slug":"new-shop"}`;
          await expect(send(line, type, body)).resolves.toEqual(refusal(415, 'UNSUPPORTED_MEDIA_TYPE'));
        }
      });
    });

    it('are told what is taken', async () => {
      const { body } = await send(`PATCH ${path}`, 'application/x-www-form-urlencoded', 'name=x');
      expect(body.message).toContain(`${JSON_TYPE} or ${MERGE_PATCH}`);
    });

    it.each(['application/json; charset=utf-8', 'Application/JSON', 'application/json;charset="utf-8"'])(
      'are taken as %s when they are',
      async (type) => {
        await expect(send(`PATCH ${path}`, type, '{"name":"ok"}')).resolves.toMatchObject({ status: 200 });
      },
    );
  });

  it.each([
    '{"name":',
    '{"name":"a"',
    "{'name':'a'}",
    '{name:"a"}',
    '{"name":"a"}}',
    '{"name":"a"}{"name":"b"}',
    '{"name":"a",}',
    'undefined',
    '\0',
  ])('with malformed JSON are 400 in the shape of all errors: %j', async (body) => {
    await changingNothing(async () => {
      for (const line of ['POST /admin/tenants', `PATCH ${path}`, `POST ${path}/suspend`]) {
        await expect(send(line, JSON_TYPE, body)).resolves.toEqual(invalid('body'));
      }
      await expect(send(`PATCH ${path}`, MERGE_PATCH, body)).resolves.toEqual(invalid('body'));
    });
  });

  it.each(['[]', '"x"', '5', 'true', 'null'])('with JSON that is no object are 400: %s', async (body) => {
    await changingNothing(async () => {
      for (const type of [JSON_TYPE, MERGE_PATCH]) {
        const answer = await send(`PATCH ${path}`, type, body);
        // No fields: nothing to change.
        if (body === 'null' && answer.status === 200) continue;
        expect(answer).toEqual(invalid('body'));
      }
    });
  });

  it('of more than the application takes are 413 in the shape of all errors, and the next one works', async () => {
    const huge = JSON.stringify({ name: 'x'.repeat(1_100_000) });
    await changingNothing(async () => {
      for (const [line, type] of [
        ['POST /admin/tenants', JSON_TYPE],
        [`PATCH ${path}`, JSON_TYPE],
        [`PATCH ${path}`, MERGE_PATCH],
        [`POST ${path}/suspend`, JSON_TYPE],
      ]) {
        await expect(send(line, type, huge)).resolves.toEqual(refusal(413, 'BODY_TOO_LARGE'));
      }
    });
    await expect(send(`PATCH ${path}`, JSON_TYPE, '{"name":"ok"}')).resolves.toMatchObject({ status: 200 });
  });

  it('of other controllers keep the errors of Nest', async () => {
    const answer = await send('POST /orders', JSON_TYPE, '{"description":', { 'x-tenant-id': 'nobody' });
    expect(answer).toMatchObject({ status: 400, body: { statusCode: 400, message: expect.any(String) } });
    expect(answer.body).not.toHaveProperty('code', 'VALIDATION_FAILED');
  });

  describe('with a merge patch', () => {
    const patch = (body: string, type = MERGE_PATCH) => send(`PATCH ${path}`, type, body);

    it.each([MERGE_PATCH, `${MERGE_PATCH}; charset=utf-8`, JSON_TYPE])(
      'of type %s are heeded',
      async (type) => {
        await patch('{"metadata":{"a":1,"b":{"c":2,"d":3}}}', type);
        await expect(
          patch('{"name":"New","metadata":{"a":null,"b":{"c":null},"e":[1]}}', type),
        ).resolves.toMatchObject({
          status: 200,
          body: { name: 'New', metadata: { b: { d: 3 }, e: [1] } },
        });
      },
    );

    it.each(['name', 'slug', 'metadata'])('cannot remove %s, which every tenant has', async (field) => {
      await changingNothing(async () => {
        await expect(patch(`{"${field}":null}`)).resolves.toEqual(invalid(field));
      });
    });

    it.each(['status', 'id', 'schemaName', 'domains', 'version', 'createdAt', 'actor'])(
      'cannot change %s',
      async (field) => {
        await changingNothing(async () => {
          await expect(patch(`{"${field}":"x"}`)).resolves.toEqual(invalid(field));
        });
      },
    );

    it.each(['__proto__', 'constructor', 'prototype'])(
      'touch no prototype by a key named %s',
      async (key) => {
        const answer = await patch(
          `{"metadata":{"${key}":{"polluted":true},"n":{"${key}":{"polluted":true}}}}`,
        );
        expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
        // Fastify itself refuses a __proto__.
        if (platform === 'Fastify' && key === '__proto__') return expect(answer).toEqual(invalid('body'));
        expect(answer.status).toBe(200);
        expect(JSON.stringify(answer.body.metadata)).toContain(`"${key}":{"polluted":true}`);
        // Of Express, __proto__ at the top is no field that a tenant has.
        const atTop = await patch(`{"${key}":{"name":"polluted"}}`);
        expect(atTop.status).toBe(400);
      },
    );

    it('are no way to make a tenant or to suspend one', async () => {
      for (const line of ['POST /admin/tenants', `POST ${path}/suspend`]) {
        await expect(send(line, MERGE_PATCH, '{}')).resolves.toEqual(refusal(415, 'UNSUPPORTED_MEDIA_TYPE'));
      }
    });
  });

  describe('DELETE with ?purge=true', () => {
    const purge = (of = path) => send(`DELETE ${of}?purge=true`);

    it('is 204 for a deleted tenant: its schema is gone, its slug is free, its requests are nobody’s', async () => {
      const { slug, schemaName, id } = await shown();
      await sample.admin(`DELETE ${path}`);
      await expect(purge()).resolves.toEqual({ status: 204, body: '' });
      await expect(sample.admin(`GET ${path}`)).resolves.toMatchObject(refusal(404, 'TENANT_NOT_FOUND'));
      await expect(sample.call('GET /orders', { tenant: slug as string })).resolves.toMatchObject({
        status: 404,
      });
      await expect(
        sample.database.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schemaName]),
      ).resolves.toEqual([]);
      await expect(sample.admin('POST /admin/tenants', { slug })).resolves.toMatchObject({ status: 201 });
      await expect(purge(`/admin/tenants/${String(id)}`)).resolves.toMatchObject({ status: 204 });
      await expect(sample.admin(`GET ${path}`)).resolves.toMatchObject({ status: 200 });
    });

    it.each(['active', 'suspended'])(
      'is 409 for a tenant that is %s, and nothing happens',
      async (status) => {
        if (status === 'suspended') await sample.admin(`POST ${path}/suspend`);
        await changingNothing(async () => {
          await expect(purge()).resolves.toEqual(refusal(409, 'INVALID_TRANSITION'));
        });
      },
    );

    it('is 404 for nobody', async () => {
      await expect(purge('/admin/tenants/nobody')).resolves.toEqual(refusal(404, 'TENANT_NOT_FOUND'));
    });

    it('takes no reason, which nothing would keep', async () => {
      await sample.admin(`DELETE ${path}`);
      await changingNothing(async () => {
        await expect(send(`DELETE ${path}?purge=true&reason=x`)).resolves.toEqual(invalid('reason'));
      });
    });

    it('=false only deletes, with or without a reason', async () => {
      await expect(send(`DELETE ${path}?purge=false&reason=moved`)).resolves.toMatchObject({
        status: 200,
        body: { status: 'deleted' },
      });
      await expect(sample.admin(`POST ${path}/restore`)).resolves.toMatchObject({ status: 200 });
    });

    it('is 204 for each of four at once', async () => {
      await sample.admin(`DELETE ${path}`);
      const { id } = await shown();
      const answers = await Promise.all(
        Array.from({ length: 4 }, () => purge(`/admin/tenants/${String(id)}`)),
      );
      expect(answers.map(({ status }) => status)).toEqual([204, 204, 204, 204]);
    });
  });
});
