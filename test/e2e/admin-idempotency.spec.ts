import { Client } from 'pg';
import { IdempotencyKeys } from '../../lib/http/idempotency-keys';
import { rawRequest } from '../support/raw-request';
import { ANY_ADAPTER, type Answer, MASTER_KEY, type SampleApp, startSampleApp } from '../support/sample-app';

const REUSED = { status: 422, body: { statusCode: 422, code: 'IDEMPOTENCY_KEY_REUSED' } };
const IN_PROGRESS = { status: 409, body: { statusCode: 409, code: 'IDEMPOTENCY_IN_PROGRESS' } };
const KEY_INVALID = {
  status: 400,
  body: { code: 'VALIDATION_FAILED', errors: [{ field: 'Idempotency-Key', message: expect.any(String) }] },
};

describe.each(ANY_ADAPTER)('An Idempotency-Key on %s', (_platform, adapter) => {
  let sample: SampleApp;
  /** Another instance on the same database. */
  let other: SampleApp;
  let count = 0;

  beforeAll(async () => {
    sample = await startSampleApp(adapter);
    other = await startSampleApp(adapter, () => ({ DATABASE_URL: sample.database.url }));
  });
  afterAll(async () => {
    await other?.close();
    await sample?.close();
  });

  const fresh = (what: string) => `${what}-${++count}`;

  function post(
    path: string,
    key: string,
    body?: unknown,
    { on = sample, headers = {} } = {},
  ): Promise<Answer> {
    return on.call(`POST /admin/tenants${path}`, {
      body,
      headers: { 'x-master-key': MASTER_KEY, 'idempotency-key': key, ...headers },
    });
  }
  const isRepeated = ({ headers }: Answer) => headers.get('idempotent-replayed') === 'true';
  const answerOf = ({ status, body, headers }: Answer) => ({ status, body, etag: headers.get('etag') });
  const sql = (text: string) => sample.database.query(text);
  const forgetAnswers = () =>
    sql(`UPDATE tenancy.idempotency_keys SET answer = NULL, claimed_until = '-infinity'`);
  const tenants = async () => Number((await sql('SELECT count(*) AS n FROM tenancy.tenants'))[0].n);
  const rows = async () => Number((await sql('SELECT count(*) AS n FROM tenancy.idempotency_keys'))[0].n);

  it('has one tenant made, however often it is sent, and gets the first answer each time', async () => {
    const [key, slug] = [fresh('key'), fresh('shop')];
    const first = await post('', key, { slug, metadata: { b: 1, a: 2 } });
    expect(first.status).toBe(201);
    expect(isRepeated(first)).toBe(false);
    const made = await tenants();
    await sample.admin(`PATCH /admin/tenants/${slug}`, { name: 'changed since' });
    for (const on of [sample, other, sample]) {
      const again = await post('', key, { metadata: { a: 2, b: 1 }, slug }, { on });
      expect(answerOf(again)).toEqual(answerOf(first));
      expect(isRepeated(again)).toBe(true);
    }
    expect(await tenants()).toBe(made);
  });

  it.each(['suspend', 'activate', 'restore'])('works for %s, with a body and without', async (action) => {
    const slug = fresh('shop');
    await sample.admin('POST /admin/tenants', { slug });
    if (action === 'activate') await sample.admin(`POST /admin/tenants/${slug}/suspend`);
    if (action === 'restore') await sample.admin(`DELETE /admin/tenants/${slug}`);
    const key = fresh('key');
    const first = await post(`/${slug}/${action}`, key);
    expect(first.status).toBe(200);
    await sample.admin(`DELETE /admin/tenants/${slug}`);
    for (const body of [undefined, {}]) {
      const again = await post(`/${slug}/${action}`, key, body);
      expect(answerOf(again)).toEqual(answerOf(first));
      expect(isRepeated(again)).toBe(true);
    }
    await expect(post(`/${slug}/${action}`, key, { reason: 'another' })).resolves.toMatchObject(REUSED);
  });

  it('is refused with another body, and does nothing', async () => {
    const [key, slug] = [fresh('key'), fresh('shop')];
    await post('', key, { slug });
    const made = await tenants();
    for (const body of [
      { slug: fresh('shop') },
      { slug, name: 'x' },
      { slug, metadata: {} },
      {},
      undefined,
    ]) {
      await expect(post('', key, body)).resolves.toMatchObject(REUSED);
    }
    expect(await tenants()).toBe(made);
  });

  it('belongs to one call on one tenant', async () => {
    const key = fresh('key');
    const [one, two] = [fresh('shop'), fresh('shop')];
    await sample.admin('POST /admin/tenants', { slug: one });
    await sample.admin('POST /admin/tenants', { slug: two });
    for (const [path, status] of [
      [`/${one}/suspend`, 'suspended'],
      [`/${two}/suspend`, 'suspended'],
      [`/${one}/activate`, 'active'],
    ]) {
      const answer = await post(path, key);
      expect(answer).toMatchObject({ status: 200, body: { status } });
      expect(isRepeated(answer)).toBe(false);
    }
    await expect(post('', key, { slug: fresh('shop') })).resolves.toMatchObject({ status: 201 });
  });

  it('lets one of ten requests run that come at once on two instances, and makes one tenant', async () => {
    const [key, slug, before] = [fresh('key'), fresh('shop'), await tenants()];
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => post('', key, { slug }, { on: index % 2 ? sample : other })),
    );
    expect(await tenants()).toBe(before + 1);
    const first = answers.filter((answer) => answer.status === 201 && !isRepeated(answer));
    expect(first).toHaveLength(1);
    for (const answer of answers) {
      if (answer.status === 201) expect(answerOf(answer)).toEqual(answerOf(first[0]));
      else expect(answer).toMatchObject(IN_PROGRESS);
    }
    await expect(post('', key, { slug })).resolves.toMatchObject({ status: 201, body: first[0].body });
  });

  it('answers 409 with Retry-After while the first request runs, and holds no connection meanwhile', async () => {
    const [key, slug] = [fresh('key'), fresh('shop')];
    const holder = new Client({ connectionString: sample.database.url });
    await holder.connect();
    try {
      await holder.query('BEGIN');
      await holder.query('LOCK TABLE tenancy.tenants IN EXCLUSIVE MODE');
      const first = post('', key, { slug });
      const waiting = `SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'tenancy.tenants'::regclass`;
      while ((await holder.query(waiting)).rowCount === 0);
      // The registry has two connections: were one of them held, ten at once would wait for each other.
      const answers = await Promise.all(Array.from({ length: 10 }, () => post('', key, { slug })));
      for (const answer of answers) {
        expect(answer).toMatchObject(IN_PROGRESS);
        expect(answer.headers.get('retry-after')).toBe('1');
      }
      await expect(post('', key, { slug, name: 'x' }, { on: other })).resolves.toMatchObject(REUSED);
      await holder.query('COMMIT');
      await expect(first).resolves.toMatchObject({ status: 201, body: { slug } });
    } finally {
      await holder.end();
    }
    expect(isRepeated(await post('', key, { slug }, { on: other }))).toBe(true);
  });

  describe('whose process died', () => {
    it('blocks for a minute at most', async () => {
      const [key, slug] = [fresh('key'), fresh('shop')];
      await post('', key, { slug });
      await sql('UPDATE tenancy.idempotency_keys SET answer = NULL');
      await expect(post('', key, { slug })).resolves.toMatchObject(IN_PROGRESS);
      const late = await sql(
        `SELECT 1 FROM tenancy.idempotency_keys
         WHERE answer IS NULL AND claimed_until > clock_timestamp() + interval '60 seconds'`,
      );
      expect(late).toEqual([]);
      await forgetAnswers();
      await expect(post('', key, { slug })).resolves.toMatchObject({ status: 201 });
    });

    it('before it made the tenant: the next one makes it', async () => {
      const [key, slug] = [fresh('key'), fresh('shop')];
      const first = await post('', key, { slug });
      const [{ schema_name }] = await sql(
        `DELETE FROM tenancy.tenants WHERE slug = '${slug}' RETURNING schema_name`,
      );
      await sql(`DROP SCHEMA ${schema_name as string} CASCADE`);
      await forgetAnswers();
      const second = await post('', key, { slug });
      expect(second).toMatchObject({ status: 201, body: { slug } });
      // The first may still be about to make one of its own, and would undo this one with it.
      expect(second.body.id).not.toBe(first.body.id);
      expect(isRepeated(second)).toBe(false);
      expect(isRepeated(await post('', key, { slug }))).toBe(true);
    });

    it('or was only slow: its late answer, failure or refusal changes nothing for the one that took over', async () => {
      const keys = sample.app.get(IdempotencyKeys);
      const [scope, fingerprint] = [[fresh('scope')], Buffer.alloc(32)];
      const take = async () => {
        const outcome = await keys.begin(scope, fingerprint);
        if (outcome.kind !== 'begun') throw new Error(outcome.kind);
        return outcome.attempt;
      };
      const slow = await take();
      await forgetAnswers();
      const second = await take();
      await keys.keep(slow, { status: 200, body: 'late' });
      await keys.release(slow);
      await keys.giveUp(slow);
      await expect(keys.begin(scope, fingerprint)).resolves.toEqual({ kind: 'running' });
      await keys.keep(second, { status: 200, body: 'in time' });
      await expect(keys.begin(scope, fingerprint)).resolves.toMatchObject({ answer: { body: 'in time' } });
    });

    it('after it made the tenant: the next one finds it, instead of a slug that is taken', async () => {
      const [key, slug] = [fresh('key'), fresh('shop')];
      const first = await post('', key, { slug });
      await forgetAnswers();
      const made = await tenants();
      const second = await post('', key, { slug }, { on: other });
      expect(answerOf(second)).toEqual(answerOf(first));
      expect(await tenants()).toBe(made);
    });

    it('is taken over by one of ten that come at once', async () => {
      const [key, slug] = [fresh('key'), fresh('shop')];
      await post('', key, { slug });
      await forgetAnswers();
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, index) => post('', key, { slug }, { on: index % 2 ? sample : other })),
      );
      const own = answers.filter((answer) => answer.status === 201 && !isRepeated(answer));
      expect(own).toHaveLength(1);
      for (const answer of answers) if (answer.status !== 201) expect(answer).toMatchObject(IN_PROGRESS);
    });

    it('is not taken over with another body', async () => {
      const [key, slug] = [fresh('key'), fresh('shop')];
      await post('', key, { slug });
      await forgetAnswers();
      await expect(post('', key, { slug, name: 'x' })).resolves.toMatchObject(REUSED);
    });
  });

  describe('keeps', () => {
    it('a conflict: the first decision holds for this key', async () => {
      const [key, slug] = [fresh('key'), fresh('shop')];
      await sample.admin('POST /admin/tenants', { slug });
      const first = await post('', key, { slug });
      expect(first).toMatchObject({ status: 409, body: { code: 'TENANT_SLUG_TAKEN' } });
      await sample.admin(`PATCH /admin/tenants/${slug}`, { slug: fresh('shop') });
      const again = await post('', key, { slug });
      expect(answerOf(again)).toEqual(answerOf(first));
      expect(isRepeated(again)).toBe(true);
      await expect(post('', fresh('key'), { slug })).resolves.toMatchObject({ status: 201 });
    });

    it('nothing that was refused before it began: the key is free for a better body', async () => {
      const [key, slug] = [fresh('key'), fresh('shop')];
      for (const body of [{ slug: '' }, { slug, plan: 'gold' }, { slug: 'www' }, {}]) {
        await expect(post('', key, body)).resolves.toMatchObject({ status: 400 });
      }
      await expect(post(`/${slug}/suspend`, key)).resolves.toMatchObject({ status: 404 });
      await expect(post('', key, { slug })).resolves.toMatchObject({ status: 201 });
      const stale = { headers: { 'if-match': '"stale"' } };
      await expect(post(`/${slug}/suspend`, key, {}, stale)).resolves.toMatchObject({ status: 412 });
      await expect(post(`/${slug}/suspend`, key, { reason: 'x' })).resolves.toMatchObject({ status: 200 });
    });

    it('no failure of ours: the same body may succeed, another one is refused', async () => {
      const [key, slug] = [fresh('key'), fresh('shop')];
      await sql('ALTER TABLE tenancy.tenants RENAME TO elsewhere');
      await expect(post('', key, { slug })).resolves.toMatchObject({ status: 500 });
      await sql('ALTER TABLE tenancy.elsewhere RENAME TO tenants');
      await expect(post('', key, { slug, name: 'x' })).resolves.toMatchObject(REUSED);
      const second = await post('', key, { slug });
      expect(second).toMatchObject({ status: 201, body: { slug } });
      expect(isRepeated(second)).toBe(false);
    });

    it('the answer for 24 hours, and then takes the key as a new one', async () => {
      const [key, slug] = [fresh('key'), fresh('shop')];
      const [{ now }] = await sql('SELECT clock_timestamp() AS now');
      await post('', key, { slug });
      const [{ hours }] = await sample.database.query<{ hours: number }>(
        `SELECT extract(epoch FROM max(expires_at) - $1)::float8 / 3600 AS hours FROM tenancy.idempotency_keys`,
        [now],
      );
      expect(hours).toBeGreaterThan(23.9);
      expect(hours).toBeLessThan(24.1);
      await sql(`UPDATE tenancy.idempotency_keys SET expires_at = clock_timestamp()`);
      const later = await post('', key, { slug: fresh('shop') });
      expect(later.status).toBe(201);
      expect(isRepeated(later)).toBe(false);
    });

    it('old ones not for ever: each request clears some away, and not more than ten', async () => {
      await sql('DELETE FROM tenancy.idempotency_keys');
      await sql(
        `INSERT INTO tenancy.idempotency_keys (id, fingerprint, owner, tenant_id, claimed_until, expires_at)
         SELECT decode(md5(n::text), 'hex'), '', gen_random_uuid(), gen_random_uuid(), now(), now() FROM generate_series(1, 25) n`,
      );
      for (const left of [16, 7, 3, 4]) {
        await post('', fresh('key'), { slug: fresh('shop') });
        expect(await rows()).toBe(left);
      }
    });

    it('neither the key nor who sent it in readable form', async () => {
      const key = fresh('a-readable-key');
      await post('', key, { slug: fresh('shop') });
      expect(JSON.stringify(await sql('SELECT * FROM tenancy.idempotency_keys'))).not.toContain(key);
      const binary = await sql(`SELECT encode(id, 'escape') AS id FROM tenancy.idempotency_keys`);
      expect(JSON.stringify(binary)).not.toContain(key);
    });
  });

  describe('that is malformed', () => {
    const raw = (value: string | string[], body: string) =>
      rawRequest(sample.url, '/admin/tenants', {
        method: 'POST',
        headers: {
          'x-master-key': MASTER_KEY,
          'content-type': 'application/json',
          'idempotency-key': value,
        },
        body,
      });

    it.each<[string, string | string[]]>([
      ['empty', ''],
      ['of 257 characters', 'k'.repeat(257)],
      ['of 10,000 characters', 'k'.repeat(10_000)],
      ['with a tab', 'a\tb'],
      ['with a letter beyond ASCII', 'caf\xe9'],
      ['sent twice', ['a', 'b']],
      ['sent twice, the same', ['a', 'a']],
    ])('is refused when it is %s, and nothing happens', async (_case, key) => {
      const [made, kept] = [await tenants(), await rows()];
      await expect(raw(key, JSON.stringify({ slug: fresh('shop') }))).resolves.toMatchObject(KEY_INVALID);
      expect([await tenants(), await rows()]).toEqual([made, kept]);
    });

    it.each([
      ['one character', 'x'],
      ['256 characters', 'k'.repeat(256)],
      ['quotes and SQL', `"'; DROP TABLE tenancy.tenants; --`],
      ['spaces and commas', 'a, b, c'],
    ])('is none of these: %s', async (_case, key) => {
      const body = JSON.stringify({ slug: fresh('shop') });
      await expect(raw(key, body)).resolves.toMatchObject({ status: 201 });
      await expect(raw(key, body)).resolves.toMatchObject({ status: 201 });
    });

    it('does no harm with a body nested 1,000 levels deep, or a path of 5,000 characters', async () => {
      const nested = '{"a":'.repeat(1_000) + '1' + '}'.repeat(1_000);
      await expect(raw(fresh('key'), `{"slug":"deep","metadata":${nested}}`)).resolves.toMatchObject({
        status: 400,
        body: { code: 'VALIDATION_FAILED' },
      });
      await expect(post(`/${'a'.repeat(90)}/suspend`, fresh('key'))).resolves.toMatchObject({ status: 404 });
      expect([404, 414]).toContain((await post(`/${'a'.repeat(5_000)}/suspend`, fresh('key'))).status);
    });

    it('is not looked at without the master key', async () => {
      const answer = await rawRequest(sample.url, '/admin/tenants', {
        method: 'POST',
        headers: { 'idempotency-key': '' },
      });
      expect(answer.status).toBe(401);
    });
  });

  it('means nothing to calls that are repeatable by themselves', async () => {
    const slug = fresh('shop');
    await sample.admin('POST /admin/tenants', { slug });
    const headers = { 'x-master-key': MASTER_KEY, 'idempotency-key': fresh('key') };
    const patch = (name: string) => sample.call(`PATCH /admin/tenants/${slug}`, { body: { name }, headers });
    await expect(patch('one')).resolves.toMatchObject({ status: 200, body: { name: 'one' } });
    await expect(patch('two')).resolves.toMatchObject({ status: 200, body: { name: 'two' } });
  });

  it('that cannot be looked up is a failure, never a creation without it', async () => {
    const slug = fresh('shop');
    await sql('ALTER TABLE tenancy.idempotency_keys RENAME TO elsewhere');
    await expect(post('', fresh('key'), { slug })).resolves.toMatchObject({ status: 500 });
    await sql('ALTER TABLE tenancy.elsewhere RENAME TO idempotency_keys');
    await expect(sample.admin(`GET /admin/tenants/${slug}`)).resolves.toMatchObject({ status: 404 });
  });
});
