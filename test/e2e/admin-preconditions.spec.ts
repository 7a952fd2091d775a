import { Client } from 'pg';
import { TenantLifecycle } from '../../lib';
import { rawRequest } from '../support/raw-request';
import { ADAPTERS, type Answer, MASTER_KEY, type SampleApp, startSampleApp } from '../support/sample-app';

const CHANGED = {
  status: 412,
  body: { statusCode: 412, code: 'PRECONDITION_FAILED', message: expect.any(String) },
};

describe.each(ADAPTERS)('Conditional requests of the admin API on %s', (_platform, adapter) => {
  let sample: SampleApp;
  let count = 0;

  beforeAll(async () => {
    sample = await startSampleApp(adapter);
  });
  afterAll(() => sample?.close());

  const call = (line: string, headers: Record<string, string> = {}, body?: unknown): Promise<Answer> =>
    sample.call(line, { body, headers: { 'x-master-key': MASTER_KEY, ...headers } });
  const etagOf = ({ headers }: Answer) => headers.get('etag') ?? '';
  const shown = ({ status, body }: Answer) => ({ status, body: body as unknown });

  async function make(): Promise<{ slug: string; path: string; etag: string; id: string }> {
    const slug = `shop-${++count}`;
    const answer = await call('POST /admin/tenants', {}, { slug });
    expect(answer.status).toBe(201);
    return { slug, id: answer.body.id, path: `/admin/tenants/${slug}`, etag: etagOf(answer) };
  }

  /** Each call that changes a tenant, with a body that does. */
  const CHANGES: [string, (path: string) => string, unknown?][] = [
    ['PATCH', (path) => `PATCH ${path}`, { name: 'changed' }],
    ['PATCH of metadata', (path) => `PATCH ${path}`, { metadata: { changed: true } }],
    ['suspend', (path) => `POST ${path}/suspend`],
    ['DELETE', (path) => `DELETE ${path}`],
    ['PUT of a domain', (path) => `PUT ${path}/domains/n${count}.example.org`],
  ];

  it('shows one ETag with a tenant, by whatever name and call, until something changes', async () => {
    const { path, id, etag } = await make();
    expect(etag).toMatch(/^"[\x21\x23-\x7e]+"$/);
    for (const line of [
      `GET ${path}`,
      `GET /admin/tenants/${id}`,
      `POST ${path}/activate`,
      `PATCH ${path}`,
    ]) {
      expect(etagOf(await call(line, {}, line.startsWith('GET') ? undefined : {}))).toBe(etag);
    }
  });

  it('shows another ETag after each change', async () => {
    const { path, etag } = await make();
    const seen = [etag];
    for (const [line, body] of [
      [`PATCH ${path}`, { name: 'a' }],
      [`PATCH ${path}`, { name: 'b' }],
      [`PATCH ${path}`, { metadata: { a: 1 } }],
      [`PUT ${path}/domains/e${count}.example.org`],
      [`DELETE ${path}/domains/e${count}.example.org`],
      [`POST ${path}/suspend`],
      [`POST ${path}/activate`],
      [`DELETE ${path}`],
      [`POST ${path}/restore`],
    ] as [string, unknown?][]) {
      const answer = await call(line, {}, body);
      expect(answer.status).toBe(200);
      expect(etagOf(await call(`GET ${path}`))).toBe(etagOf(answer));
      seen.push(etagOf(answer));
    }
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('gives a tenant that takes over a slug another ETag', async () => {
    const first = await make();
    await call(`PATCH ${first.path}`, {}, { slug: `gone-${count}` });
    const second = await call('POST /admin/tenants', {}, { slug: first.slug });
    expect(etagOf(second)).not.toBe(first.etag);
    await expect(call(`DELETE ${first.path}`, { 'if-match': first.etag }).then(shown)).resolves.toEqual(
      CHANGED,
    );
  });

  describe.each(CHANGES)('%s', (_name, line, body) => {
    it('is done if the tenant has the tag, one of several, or any (*)', async () => {
      for (const ifMatch of [
        (etag: string) => etag,
        (etag: string) => `"other", ${etag}`,
        (etag: string) => `W/"x" ,${etag},`,
        () => '*',
      ]) {
        const { path, etag } = await make();
        const answer = await call(line(path), { 'if-match': ifMatch(etag) }, body);
        expect(answer.status).toBe(200);
        expect(etagOf(answer)).not.toBe(etag);
      }
    });

    it('is 412 and changes nothing otherwise', async () => {
      const { path, etag: old } = await make();
      const { etag: foreign } = await make();
      const before = await call(`PATCH ${path}`, {}, { name: 'newer' });
      const now = etagOf(before);
      for (const ifMatch of [
        old,
        foreign,
        `W/${now}`,
        now.replaceAll('"', ''),
        '"',
        '""',
        '',
        `${old}, W/${now}`,
      ]) {
        await expect(call(line(path), { 'if-match': ifMatch }, body).then(shown)).resolves.toEqual(CHANGED);
      }
      await expect(call(`GET ${path}`).then(shown)).resolves.toEqual(shown(before));
    });

    it('is 404 for a tenant that is not there, whatever the condition', async () => {
      for (const ifMatch of ['*', '"any"']) {
        await expect(
          call(line('/admin/tenants/nobody'), { 'if-match': ifMatch }, body),
        ).resolves.toMatchObject({
          status: 404,
          body: { code: 'TENANT_NOT_FOUND' },
        });
      }
    });

    it('is done for one of eight that have the same tag', async () => {
      const { path, etag } = await make();
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => call(line(path), { 'if-match': etag }, body)),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(7).fill(412)]);
    });
  });

  it('hold for restore, activate, purge and the removal of a domain, too', async () => {
    const { path, etag } = await make();
    const stale = { 'if-match': etag };
    await call(`PUT ${path}/domains/r${count}.example.org`);
    await expect(call(`DELETE ${path}/domains/r${count}.example.org`, stale).then(shown)).resolves.toEqual(
      CHANGED,
    );
    const suspended = await call(`POST ${path}/suspend`);
    await expect(call(`POST ${path}/activate`, stale).then(shown)).resolves.toEqual(CHANGED);
    const activated = await call(`POST ${path}/activate`, { 'if-match': etagOf(suspended) });
    expect(activated.status).toBe(200);
    const deleted = await call(`DELETE ${path}`);
    await expect(call(`POST ${path}/restore`, stale).then(shown)).resolves.toEqual(CHANGED);
    await expect(call(`DELETE ${path}?purge=true`, stale).then(shown)).resolves.toEqual(CHANGED);
    await expect(call(`DELETE ${path}?purge=true`, { 'if-match': etagOf(deleted) })).resolves.toMatchObject({
      status: 204,
    });
  });

  it('take two If-Match headers for one list', async () => {
    const { path, etag } = await make();
    const patch = (headers: Record<string, string | string[]>) =>
      rawRequest(sample.url, path, {
        method: 'PATCH',
        headers: { 'x-master-key': MASTER_KEY, 'content-type': 'application/json', ...headers },
        body: '{"name":"changed"}',
      });
    await expect(patch({ 'if-match': ['"other"', 'W/"x"'] })).resolves.toEqual(CHANGED);
    await expect(patch({ 'if-match': ['"other"', etag] })).resolves.toMatchObject({ status: 200 });
  });

  it('answer a GET with 304 and no body while the caller has what is there', async () => {
    const { path, etag } = await make();
    for (const ifNoneMatch of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const answer = await call(`GET ${path}`, { 'if-none-match': ifNoneMatch });
      expect({ status: answer.status, body: answer.body as unknown, etag: etagOf(answer) }).toEqual({
        status: 304,
        body: undefined,
        etag,
      });
    }
    await call(`PATCH ${path}`, {}, { name: 'changed' });
    await expect(call(`GET ${path}`, { 'if-none-match': etag })).resolves.toMatchObject({
      status: 200,
      body: { name: 'changed' },
    });
  });

  it('are none without the master key', async () => {
    const { path, etag } = await make();
    await expect(sample.call(`GET ${path}`, { headers: { 'if-none-match': etag } })).resolves.toMatchObject({
      status: 401,
    });
  });

  describe('Without a condition', () => {
    it('twenty merge patches at once are all kept', async () => {
      const { path } = await make();
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          call(`PATCH ${path}`, {}, { metadata: { [`k${index}`]: index } }),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      const { body } = await call(`GET ${path}`);
      expect(body.metadata).toEqual(
        Object.fromEntries(answers.map((_answer, index) => [`k${index}`, index])),
      );
    });

    it('patches, suspensions and domains at once are all kept', async () => {
      const { path, slug } = await make();
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, index) => [
          call(`PATCH ${path}`, {}, { metadata: { [`k${index}`]: index } }),
          call(`POST ${path}/suspend`),
          call(`PUT ${path}/domains/d${index}.${slug}.example.org`),
        ]).flat(),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      const { body } = await call(`GET ${path}`);
      expect(body).toMatchObject({ status: 'suspended' });
      expect(Object.keys(body.metadata)).toHaveLength(8);
      expect(body.domains).toHaveLength(8);
    });

    it('a patch by a slug that is changed meanwhile is kept, and so is that change', async () => {
      const { path, slug, id } = await make();
      const holder = new Client({ connectionString: sample.database.url });
      await holder.connect();
      try {
        await holder.query('BEGIN');
        await holder.query(
          `UPDATE tenancy.tenants SET slug = $2, metadata = '{"a":1}', version = version + 1 WHERE slug = $1`,
          [slug, `${slug}-new`],
        );
        const answer = call(`PATCH ${path}`, {}, { metadata: { b: 1 } });
        const waiting = `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
        while ((await holder.query(waiting)).rowCount === 0);
        await holder.query('COMMIT');
        await expect(answer).resolves.toMatchObject({
          status: 200,
          body: { id, slug: `${slug}-new`, metadata: { a: 1, b: 1 } },
        });
      } finally {
        await holder.end();
      }
    });
  });

  it('exist in code as well: ifVersion', async () => {
    const { slug } = await make();
    const lifecycle = sample.app.get(TenantLifecycle);
    const { version } = await lifecycle.get(slug);
    await lifecycle.update(slug, { name: 'one' }, { ifVersion: version });
    const refused = { code: 'PRECONDITION_FAILED', slug };
    await expect(lifecycle.update(slug, { name: 'two' }, { ifVersion: version })).rejects.toMatchObject(
      refused,
    );
    await expect(lifecycle.suspend(slug, { ifVersion: [] })).rejects.toMatchObject(refused);
    await expect(lifecycle.suspend(slug, { ifVersion: [version, version + 1] })).resolves.toMatchObject({
      status: 'suspended',
    });
  });
});
