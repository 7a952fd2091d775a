import { randomBytes } from 'node:crypto';
import { ConflictException } from '@nestjs/common';
import { TenantLifecycle } from 'nestjs-tenancy';
import { ApiKeys } from 'nestjs-tenancy/access';
import { RunningApp } from './running-app';

describe('a sign-up', () => {
  let running: RunningApp;
  const signedUp: string[] = [];

  beforeAll(async () => {
    running = await RunningApp.start();
  });
  afterAll(async () => {
    for (const id of signedUp) await running.tenants.drop(id);
    await running.close();
  });

  const newSlug = () => `acme-${randomBytes(6).toString('hex')}`;
  const signUp = (body: object) => running.ask('POST /sign-up', { body });

  it('makes a tenant, and its first key opens it', async () => {
    const slug = newSlug();
    const { body } = await signUp({ slug, name: 'Acme Inc.' }).expect(201);
    signedUp.push(body.id);
    expect(body).toEqual({ id: expect.any(String), slug, name: 'Acme Inc.', apiKey: expect.any(String) });
    await running.ask('GET /orders', { key: body.apiKey }).expect(200, []);
    const me = await running.ask('GET /me', { key: body.apiKey }).expect(200);
    expect(me.body).toMatchObject({ tenantId: body.id, scopes: ['keys:*', 'orders:*'] });
  });

  it('names the field that is wrong, and takes no field that it does not know', async () => {
    const { body } = await signUp({ slug: 'No Slug' }).expect(400);
    expect(body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ field: 'slug' }] });
    await signUp({ slug: newSlug(), plan: 'gold' }).expect(400);
  });

  it('is refused for a slug that is taken', async () => {
    const { slug } = await running.tenants.make();
    const { body } = await signUp({ slug }).expect(409);
    expect(body).toMatchObject({ code: 'TENANT_SLUG_TAKEN' });
  });

  it('leaves nothing behind when no key can be made', async () => {
    const slug = newSlug();
    const lifecycle = running.app.get(TenantLifecycle);
    jest.spyOn(running.app.get(ApiKeys), 'create').mockImplementationOnce(async () => {
      // Nobody sees the tenant before it has its key.
      await expect(lifecycle.get(slug)).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' });
      throw new ConflictException('no key');
    });
    await signUp({ slug }).expect(409);
    await expect(lifecycle.get(slug)).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' });
  });

  it('is limited by address', async () => {
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const { status } = await signUp({ slug: 'No Slug' });
      if (status === 429) return;
    }
    throw new Error('eleven sign-ups in a minute were let in');
  });
});
