import { TenantLifecycle, TenantProvisioner, TenantPurge } from '../../lib';
import { ANY_ADAPTER, type Answer, MASTER_KEY, type SampleApp, startSampleApp } from '../support/sample-app';

const ISO_DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe.each(ANY_ADAPTER)('GET /admin/tenants/:tenant/audit on %s', (_platform, adapter) => {
  let sample: SampleApp;
  let count = 0;

  beforeAll(async () => {
    sample = await startSampleApp(adapter);
  });
  afterAll(() => sample?.close());

  async function make() {
    const { body } = await sample.admin('POST /admin/tenants', { slug: `shop-${++count}` });
    return body as { id: string; slug: string };
  }
  const audit = (reference: string, query = ''): Promise<Answer> =>
    sample.admin(`GET /admin/tenants/${reference}/audit${query}`);
  const actions = async (reference: string) =>
    ((await audit(reference)).body.data as { action: string }[]).map(({ action }) => action);

  it('tells who did what, when and why, the latest first, and these fields and no others', async () => {
    const { id, slug } = await make();
    await sample.admin(`POST /admin/tenants/${slug}/suspend`, { reason: 'unpaid' });
    const { status, body } = await audit(slug);
    const record = (action: string, reason: string | null) => ({
      id: expect.stringMatching(/^\d+$/),
      tenantId: id,
      action,
      actor: 'master',
      reason,
      details: expect.any(Object),
      at: expect.stringMatching(ISO_DATE),
    });
    expect({ status, body }).toEqual({
      status: 200,
      body: { data: [record('suspend', 'unpaid'), record('create', null)], nextCursor: null },
    });
    expect(body.data[0].details).toEqual({ from: 'active', to: 'suspended' });
  });

  it('has every change, with what changed, but no metadata', async () => {
    const { id, slug } = await make();
    const path = `/admin/tenants/${id}`;
    const domain = `${slug}.example.org`;
    await sample.admin(`PATCH ${path}`, { slug: `${slug}-new`, name: 'New', metadata: { token: 'secret' } });
    await sample.admin(`PUT ${path}/domains/${domain.toUpperCase()}`);
    await sample.admin(`DELETE ${path}/domains/${domain}`);
    await sample.admin(`POST ${path}/suspend`);
    await sample.admin(`POST ${path}/activate`, { reason: 'paid' });
    await sample.admin(`DELETE ${path}?reason=contract%20ended`);
    await sample.admin(`POST ${path}/restore`);
    const { body } = await audit(id);
    expect(
      (body.data as Record<string, unknown>[]).map(({ action, reason, details }) => [
        action,
        reason,
        details,
      ]),
    ).toEqual([
      ['restore', null, { from: 'deleted', to: 'active' }],
      ['delete', 'contract ended', { from: 'active', to: 'deleted' }],
      ['activate', 'paid', { from: 'suspended', to: 'active' }],
      ['suspend', null, { from: 'active', to: 'suspended' }],
      ['remove-domain', null, { domain }],
      ['add-domain', null, { domain }],
      ['update', null, { fields: ['slug', 'name', 'metadata'], slug: { from: slug, to: `${slug}-new` } }],
      ['create', null, expect.any(Object)],
    ]);
    expect(JSON.stringify(body)).not.toContain('secret');
  });

  it('has nothing of what changed nothing, was refused, or failed', async () => {
    const [{ slug }, other] = [await make(), await make()];
    const path = `/admin/tenants/${slug}`;
    for (const [line, body, status] of [
      [`POST ${path}/activate`, {}, 200],
      [`PATCH ${path}`, {}, 200],
      [`PATCH ${path}`, { metadata: { absent: null } }, 200],
      [`DELETE ${path}/domains/none.example.org`, undefined, 200],
      [`POST ${path}/restore`, {}, 200],
      [`PATCH ${path}`, { slug: other.slug }, 409],
      [`PATCH ${path}`, { slug: 'www' }, 400],
      [`POST ${path}/suspend`, { reason: 5 }, 400],
      [`DELETE ${path}?purge=true`, undefined, 409],
    ] as [string, unknown, number][]) {
      expect((await sample.admin(line, body)).status).toBe(status);
    }
    await sample.call(`DELETE ${path}`, { headers: { 'x-master-key': MASTER_KEY, 'if-match': '"x"' } });
    await expect(actions(slug)).resolves.toEqual(['create']);
  });

  it('has one record of each of twenty changes that come at once', async () => {
    const { slug } = await make();
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        sample.admin(`PATCH /admin/tenants/${slug}`, { metadata: { [`k${index}`]: 1 } }),
      ),
    );
    await expect(actions(slug)).resolves.toEqual([...Array<string>(20).fill('update'), 'create']);
  });

  it('has a repeated request once', async () => {
    const { slug } = await make();
    const headers = { 'x-master-key': MASTER_KEY, 'idempotency-key': slug };
    for (let i = 0; i < 3; i += 1) await sample.call(`POST /admin/tenants/${slug}/suspend`, { headers });
    await expect(actions(slug)).resolves.toEqual(['suspend', 'create']);
  });

  it('is kept with the change or not at all', async () => {
    const { slug } = await make();
    await sample.database.query(
      `ALTER TABLE tenancy.tenant_event_outbox ADD CONSTRAINT refuse CHECK (type <> 'tenant.suspended') NOT VALID`,
    );
    await expect(sample.admin(`POST /admin/tenants/${slug}/suspend`)).resolves.toMatchObject({ status: 500 });
    await sample.database.query('ALTER TABLE tenancy.tenant_event_outbox DROP CONSTRAINT refuse');
    await expect(sample.admin(`GET /admin/tenants/${slug}`)).resolves.toMatchObject({
      body: { status: 'active' },
    });
  });

  it('shows each record once, page after page', async () => {
    const { slug } = await make();
    for (let i = 0; i < 6; i += 1) await sample.admin(`PATCH /admin/tenants/${slug}`, { name: `name ${i}` });
    for (const limit of [1, 3, 7, 100]) {
      const seen: string[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const { body } = await audit(slug, `?limit=${limit}${cursor && `&cursor=${cursor}`}`);
        expect(body.data.length).toBeLessThanOrEqual(limit);
        seen.push(...(body.data as { id: string }[]).map(({ id }) => id));
        cursor = body.nextCursor as string | null;
      }
      expect(new Set(seen).size).toBe(7);
      expect(seen).toEqual([...seen].sort((one, other) => Number(other) - Number(one)));
    }
  });

  it.each([
    'limit=0',
    'limit=101',
    'limit=',
    'cursor=',
    'cursor=abc',
    `cursor=${Buffer.from('0').toString('base64url')}`,
    `cursor=${Buffer.from('-1').toString('base64url')}`,
    `cursor=${Buffer.from('1'.repeat(30)).toString('base64url')}`,
    `cursor=${Buffer.from("1' OR true").toString('base64url')}`,
    'cursor=a&cursor=b',
    'page=2',
    'status=active',
  ])('refuses ?%s', async (query) => {
    const { slug } = await make();
    const { status, body } = await audit(slug, `?${query}`);
    expect({ status, code: body.code }).toEqual({ status: 400, code: 'VALIDATION_FAILED' });
    expect(body.errors[0].field).toBe(query.split('=')[0]);
  });

  it('is 404 for a tenant that never was, and 401 without the key', async () => {
    for (const reference of [
      'nobody',
      '01890a5d-ac96-774b-bcce-b302099a8057',
      '%00',
      '__proto__',
      "'%20OR%20true",
    ]) {
      await expect(audit(reference)).resolves.toMatchObject({
        status: 404,
        body: { code: 'TENANT_NOT_FOUND' },
      });
    }
    const { slug } = await make();
    await expect(sample.call(`GET /admin/tenants/${slug}/audit`)).resolves.toMatchObject({ status: 401 });
  });

  it('is there after a purge, by the id', async () => {
    const { id, slug } = await make();
    await sample.admin(`DELETE /admin/tenants/${slug}`);
    await expect(sample.admin(`DELETE /admin/tenants/${slug}?purge=true`)).resolves.toMatchObject({
      status: 204,
    });
    await expect(audit(slug)).resolves.toMatchObject({ status: 404 });
    await expect(actions(id)).resolves.toEqual(['purge', 'delete', 'create']);
    const { body } = await audit(id);
    expect(body.data[0]).toMatchObject({ actor: 'master' });
  });

  it('names the actor that code gives, or nobody', async () => {
    const slug = `shop-${++count}`;
    const lifecycle = sample.app.get(TenantLifecycle);
    const { id } = await sample.app.get(TenantProvisioner).create({ slug }, { actor: 'sign-up' });
    await lifecycle.suspend(slug, { actor: 'billing job', reason: 'unpaid' });
    await lifecycle.addDomain(slug, `${slug}.example.org`, { actor: 'ünï 🗝' });
    await lifecycle.update(slug, { name: 'x' });
    await lifecycle.delete(slug, { actor: 'x'.repeat(200) });
    await sample.app.get(TenantPurge).purge(slug, { actor: 'sweeper' });
    const { body } = await audit(id);
    expect((body.data as { actor: string | null }[]).map(({ actor }) => actor)).toEqual([
      'sweeper',
      'x'.repeat(200),
      null,
      'ünï 🗝',
      'billing job',
      'sign-up',
    ]);
  });

  it.each(['', 'x'.repeat(201), 'a\0b', 'a\ud800', 5 as unknown as string])(
    'takes no actor such as %p',
    async (actor) => {
      const { slug } = await make();
      const refused = {
        code: 'VALIDATION_FAILED',
        errors: [{ field: 'actor', message: expect.any(String) }],
      };
      const lifecycle = sample.app.get(TenantLifecycle);
      await expect(lifecycle.suspend(slug, { actor })).rejects.toMatchObject(refused);
      await expect(
        sample.app.get(TenantProvisioner).create({ slug: `${slug}-2` }, { actor }),
      ).rejects.toMatchObject(refused);
    },
  );
});
