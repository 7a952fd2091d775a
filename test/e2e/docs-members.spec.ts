import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { SignJWT } from 'jose';
import { type Tenant, TenantProvisioner } from '../../lib';
import { type MemberSubject, MembersService } from '../../lib/members';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { rawRequest } from '../support/raw-request';

const SECRET = 'a secret that is only for tests, 0123456789';
const ISSUER = 'https://login.example';

describe('docs/members.md, the examples', () => {
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication;
  let acme: Tenant;

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/members.md');
    database = await createTestDatabase();
    Object.assign(process.env, { DATABASE_URL: database.url, JWT_SECRET: SECRET });
    const { MembersAppModule } = await examples.import('members-app.module.ts');
    const testing = await Test.createTestingModule({ imports: [MembersAppModule] }).compile();
    app = testing.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    acme = await app.get(TenantProvisioner).create({ slug: 'acme' });
  });
  afterAll(async () => {
    delete process.env.JWT_SECRET;
    await app?.close();
    await database?.drop();
    examples?.remove();
  });

  it('know members, greet them, and found a tenant', async () => {
    const { TeamService } = await examples.import('team.service.ts');
    const team = app.get<{
      found(tenant: Tenant, subject: MemberSubject): Promise<unknown>;
      names(tenant: Tenant): Promise<string[]>;
    }>(TeamService);
    const olga = { subject: 'olga', issuer: ISSUER };
    await expect(team.found(acme, olga)).resolves.toMatchObject({ ...olga, roles: ['owner'] });
    await app
      .get(MembersService)
      .add(acme, { subject: 'ann', issuer: ISSUER, name: 'Ann', roles: ['clerk'] });
    await expect(team.names(acme)).resolves.toEqual(['olga', 'Ann']);

    const token = (sub: string) =>
      new SignJWT({ sub, iss: ISSUER, exp: Math.floor(Date.now() / 1_000) + 60 })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(Buffer.from(SECRET));
    const welcome = async (sub: string) =>
      rawRequest(await app.getUrl(), '/welcome', {
        headers: { authorization: `Bearer ${await token(sub)}`, 'x-tenant-id': 'acme' },
      });
    await expect(welcome('ann')).resolves.toMatchObject({ status: 200, body: 'Hello Ann, clerk' });
    await expect(welcome('olga')).resolves.toMatchObject({ status: 200 });
    await expect(welcome('mallory')).resolves.toMatchObject({ status: 403, body: { code: 'NOT_A_MEMBER' } });
  });
});
