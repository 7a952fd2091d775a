import { getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { TenantLifecycle, TenantProvisioner, TenantPurge, type Tenant } from '../../../lib';
import { fromApiKey, TenancyAccessModule } from '../../../lib/access';
import {
  type MemberInput,
  type MemberJoined,
  MemberRoles,
  MembersService,
  TenancyMembersModule,
  type TenancyMembersOptions,
} from '../../../lib/members';
import { TenancyUsageModule, UsageReports } from '../../../lib/usage';
import { REGISTRY_DATA_SOURCE } from '../../../lib/registry/registry';
import { EventTrail } from '../../../lib/registry/events/event-trail';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { startAppOn } from '../provisioning/app';
import type { TestApp } from '../../support/test-app';

const ISSUER = 'https://issuer.example';

let database: TestDatabase;
let running: TestApp;
let members: MembersService;
/** What the hook does, until the test's end. */
let joined: (event: MemberJoined) => void | Promise<void> = () => undefined;

const options: TenancyMembersOptions = {
  roles: { admin: ['orders:*'], clerk: ['orders:read'], approver: [] },
  plans: { free: { roles: ['member', 'clerk'], maxMembers: 3 }, pro: {} },
  defaultPlan: 'pro',
  onMemberJoined: (event) => joined(event),
};

beforeAll(async () => {
  database = await createTestDatabase();
  running = await startAppOn(
    database,
    { resolvers: [fromApiKey()] },
    {
      imports: [
        TenancyAccessModule.forRoot(),
        TenancyMembersModule.forRoot(options),
        TenancyUsageModule.forRoot({
          plans: { quota: { members: { limit: 4, per: 'total', hard: true } }, none: {} },
          defaultPlan: 'none',
        }),
      ],
    },
  );
  members = running.app.get(MembersService);
});
afterAll(async () => {
  await running?.close();
  await database?.drop();
});
afterEach(() => {
  joined = () => undefined;
});

let made = 0;
/** For tests that leave nothing in it. */
let shared: Tenant | undefined;
const makeTenant = (plan = 'pro'): Promise<Tenant> =>
  running.create({ slug: `acme-${(made += 1)}`, metadata: { plan } });
const person = (subject: string, more: Partial<MemberInput> = {}): MemberInput => ({
  subject,
  issuer: ISSUER,
  ...more,
});
const addOwner = (tenant: Tenant, subject = 'olga') =>
  members.add(tenant, person(subject, { roles: ['owner'] }));
const eventsOf = ({ id }: Tenant) =>
  running.app.get(EventTrail, { strict: false }).list({ tenantId: id, types: ['member.*'], limit: 100 });
const typesOf = async (tenant: Tenant) => (await eventsOf(tenant)).map(({ type }) => type);
const subjectsOf = async (tenant: Tenant) =>
  (await members.list(tenant, { limit: 100 })).map(({ subject }) => subject);

describe('a member', () => {
  it('is somebody in one tenant, with an address as it was given', async () => {
    const tenant = await makeTenant();
    const ann = await members.add(
      tenant.id,
      person('ann', { email: 'Ann.Lee@Shop.Example', name: 'Ann', scopes: ['reports:read'] }),
    );
    expect(ann).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      tenantId: tenant.id,
      issuer: ISSUER,
      subject: 'ann',
      email: 'Ann.Lee@Shop.Example',
      name: 'Ann',
      roles: ['member'],
      scopes: ['reports:read'],
      status: 'active',
      version: 1,
      joinedAt: expect.any(Date),
      updatedAt: expect.any(Date),
      lastSeenAt: null,
    });
    await expect(members.get(tenant, ann.id)).resolves.toEqual(ann);
    await expect(members.list(tenant, { limit: 5, email: 'ANN.lee@SHOP.example' })).resolves.toEqual([ann]);
    // A Cyrillic letter that looks like the first one.
    await expect(members.list(tenant, { limit: 5, email: 'аnn.lee@shop.example' })).resolves.toEqual([]);
    await expect(members.list(tenant, { limit: 5, email: 'no address' })).resolves.toEqual([]);
  });

  it('is one for each issuer and each tenant, and never twice', async () => {
    const [one, other] = [await makeTenant(), await makeTenant()];
    await members.add(one, person('bob'));
    await members.add(one, person('bob', { issuer: 'https://another.example' }));
    await members.add(one, { subject: 'bob' });
    await members.add(other, person('bob'));
    const tries = await Promise.allSettled(Array.from({ length: 5 }, () => members.add(one, person('eve'))));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const each of tries)
      if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'MEMBER_EXISTS' });
    const found = await members.listOf({ issuer: ISSUER, subject: 'bob' }, { limit: 10 });
    expect(found.map(({ tenantId }) => tenantId)).toEqual([one.id, other.id]);
  });

  it('is listed in pages, is changed and leaves, all of which is recorded without names', async () => {
    const tenant = await makeTenant();
    const [, ann, bob] = [
      await addOwner(tenant),
      await members.add(tenant, person('ann', { email: 'ann@shop.example' })),
      await members.add(tenant, person('bob')),
    ];
    const [first] = await members.list(tenant, { limit: 1 });
    const rest = await members.list(tenant, { limit: 5, afterId: first.id });
    expect([first, ...rest].map(({ subject }) => subject)).toEqual(['olga', 'ann', 'bob']);

    const by = { actor: 'a test', reason: 'because' };
    const changed = await members.update(tenant, ann.id, { name: 'Ann', roles: ['clerk'] }, by);
    expect(changed).toMatchObject({ name: 'Ann', roles: ['clerk'], email: 'ann@shop.example', version: 2 });
    await expect(members.update(tenant, ann.id, { name: 'Ann' }, by)).resolves.toMatchObject({ version: 2 });
    await expect(members.block(tenant, ann.id, { ...by, ifVersion: [1] })).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    await expect(members.block(tenant, ann.id, by)).resolves.toMatchObject({ status: 'blocked', version: 3 });
    await expect(members.unblock(tenant, ann.id, by)).resolves.toMatchObject({ status: 'active' });
    await members.remove(tenant, bob.id, by);
    await expect(members.remove(tenant, bob.id)).rejects.toMatchObject({ code: 'MEMBER_NOT_FOUND' });
    expect(await subjectsOf(tenant)).toEqual(['olga', 'ann']);
    const events = await eventsOf(tenant);
    expect(events.map(({ type }) => type)).toEqual([
      ...['member.added', 'member.added', 'member.added'],
      ...['member.changed', 'member.blocked', 'member.unblocked', 'member.removed'],
    ]);
    expect(events[3]).toMatchObject({
      actor: { type: 'operator', id: 'a test' },
      subject: ann.id,
      data: { fields: ['name', 'roles'], roles: ['clerk'], scopes: [], reason: 'because' },
    });
    const kept = JSON.stringify(events);
    expect(kept).not.toContain('shop.example');
    expect(kept).not.toContain('Ann');
  });

  it.each([
    ['subject', { subject: '' }],
    ['subject', { subject: 'a\0b' }],
    ['subject', { subject: 'x'.repeat(256) }],
    ['issuer', { issuer: 'https://ünder.example' }],
    ['email', { email: `${'a'.repeat(308)}@example.com` }],
    ['email', { email: 'ann@@example.com' }],
    ['name', { name: ' ' }],
    ['roles', { roles: ['no such role'] }],
    ['roles', { roles: ['auditor'] }],
    ['scopes', { scopes: ['*'] }],
    ['scopes', { scopes: ['Orders'] }],
  ] as [string, Partial<MemberInput>][])('is refused for a bad %s: %j', async (field, input) => {
    const tenant = (shared ??= await makeTenant());
    await expect(members.add(tenant, person('ann', input))).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ field }],
    });
  });

  it('of a purged tenant is no more, and cannot become one', async () => {
    const tenant = await makeTenant();
    await addOwner(tenant);
    await running.app.get(TenantLifecycle).delete(tenant.id);
    await running.app.get(TenantPurge).purge(tenant.id);
    await expect(members.add(tenant, person('ann'))).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' });
    await expect(members.add(tenant.id, person('ann'))).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' });
    await expect(
      members.listOf({ issuer: ISSUER, subject: 'olga' }, { limit: 100 }),
    ).resolves.not.toContainEqual(expect.objectContaining({ tenantId: tenant.id }));
  });
});

describe('the life of a tenant', () => {
  it('takes members along where the tenant stays the same, and to no copy', async () => {
    const tenant = await makeTenant();
    const olga = await addOwner(tenant);
    const lifecycle = running.app.get(TenantLifecycle);
    await lifecycle.suspend(tenant.id);
    await expect(members.add(tenant, person('ann'))).resolves.toMatchObject({ tenantId: tenant.id });
    await lifecycle.activate(tenant.id);
    await lifecycle.update(tenant.id, { slug: `renamed-${made}` });
    await lifecycle.delete(tenant.id);
    await lifecycle.restore(tenant.id);
    await expect(members.get(tenant.id, olga.id)).resolves.toEqual(olga);
    expect(await subjectsOf(tenant)).toEqual(['olga', 'ann']);
    const copy = await running.app.get(TenantProvisioner).clone(tenant.id, `copy-${made}`);
    expect(await subjectsOf(copy)).toEqual([]);
  });
});

describe('the last owner', () => {
  it('can be neither removed, blocked nor lowered, until there is another', async () => {
    const tenant = await makeTenant();
    const olga = await addOwner(tenant);
    const attempts = () => [
      members.remove(tenant, olga.id),
      members.block(tenant, olga.id),
      members.update(tenant, olga.id, { roles: ['admin'] }),
    ];
    for (const attempt of attempts())
      await expect(attempt).rejects.toMatchObject({ code: 'LAST_OWNER', statusCode: 409 });
    // One who is blocked manages nothing.
    const otto = await addOwner(tenant, 'otto');
    await members.block(tenant, otto.id);
    await expect(members.remove(tenant, olga.id)).rejects.toMatchObject({ code: 'LAST_OWNER' });
    await members.unblock(tenant, otto.id);
    await members.update(tenant, olga.id, { roles: ['admin'] });
    await expect(members.remove(tenant, otto.id)).rejects.toMatchObject({ code: 'LAST_OWNER' });
  });

  it('is no other one whom only an old snapshot shows', async () => {
    const tenant = await makeTenant();
    const [olga, otto] = [await addOwner(tenant), await addOwner(tenant, 'otto')];
    const registry = running.app.get<DataSource>(getDataSourceToken(REGISTRY_DATA_SOURCE), { strict: false });
    const attempt = registry.transaction('REPEATABLE READ', async (manager) => {
      await manager.query('SELECT FROM tenancy.tenant_members LIMIT 1');
      await members.remove(tenant, otto.id);
      await members.remove(tenant, olga.id, { manager });
    });
    await expect(attempt).rejects.toThrow('READ COMMITTED');
    expect(await subjectsOf(tenant)).toEqual(['olga']);
  });

  it('is left when all of them go at once', async () => {
    const tenant = await makeTenant();
    const owners = await Promise.all(['a', 'b', 'c', 'd'].map((subject) => addOwner(tenant, subject)));
    const [a, b, c, d] = owners.map(({ id }) => id);
    const tries = await Promise.allSettled([
      members.remove(tenant, a),
      members.block(tenant, b),
      members.update(tenant, c, { roles: ['member'] }),
      members.remove(tenant, d),
    ]);
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    const left = await members.list(tenant, { limit: 10 });
    expect(left.filter(({ roles, status }) => roles.includes('owner') && status === 'active')).toHaveLength(
      1,
    );
  });
});

describe('seats', () => {
  it('are never exceeded, however many join at once', async () => {
    const tenant = await makeTenant('free');
    await addOwner(tenant);
    await members.add(tenant, person('first'));
    // Who has counted the last seat is held up before the commit: others would count it meanwhile if they could.
    joined = ({ manager }) => manager.query('SELECT pg_sleep(0.1)').then(() => undefined);
    const tries = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) => members.add(tenant, person(`guest-${index}`))),
    );
    const refused = tries.flatMap((each) => (each.status === 'rejected' ? [each.reason as Error] : []));
    expect(refused).toHaveLength(49);
    for (const each of refused) expect(each).toMatchObject({ code: 'MEMBER_LIMIT', statusCode: 409 });
    const [owner, guest] = await members.list(tenant, { limit: 10 });
    await expect(members.list(tenant, { limit: 10 })).resolves.toHaveLength(3);
    // A blocked one still has theirs; one who left has not.
    await members.block(tenant, guest.id);
    await expect(members.add(tenant, person('late'))).rejects.toMatchObject({ code: 'MEMBER_LIMIT' });
    await members.remove(tenant, guest.id);
    await expect(members.add(tenant, person('late'))).resolves.toMatchObject({ subject: 'late' });
    expect(owner.subject).toBe('olga');
  });

  it('are those of the quota where there is one, and its report tells how many are taken', async () => {
    const tenant = await makeTenant('quota');
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) => members.add(tenant, person(`guest-${index}`))),
    );
    const refused = tries.flatMap((each) => (each.status === 'rejected' ? [each.reason as Error] : []));
    expect(refused).toHaveLength(4);
    for (const each of refused)
      expect(each).toMatchObject({
        code: 'QUOTA_EXCEEDED',
        statusCode: 402,
        message: 'The quota of 4 "members" is used up.',
      });
    const { quotas } = await running.app.get(UsageReports).of(tenant);
    expect(quotas).toEqual([
      { metric: 'members', limit: 4, per: 'total', hard: true, used: 4, remaining: 0 },
    ]);
  });
});

describe('whoever gives rights', () => {
  const admin = { scopes: ['keys:*', 'members:*', 'orders:*'], member: { roles: ['admin'] } };

  it('gives no role and no scope that they lack, and changes nobody who has more', async () => {
    const tenant = await makeTenant();
    const olga = await addOwner(tenant);
    const add = (input: Partial<MemberInput>) =>
      members.add(tenant, person(`p-${(made += 1)}`, input), { grantedBy: admin });
    const ann = await add({ roles: ['admin', 'clerk'], scopes: ['orders:write'] });
    await expect(add({ roles: ['owner'] })).rejects.toMatchObject({ code: 'ROLE_MISSING', statusCode: 403 });
    await expect(add({ scopes: ['billing:read'] })).rejects.toMatchObject({ code: 'SCOPE_MISSING' });
    // What a role without scopes means, only the application knows.
    await expect(add({ roles: ['approver'] })).rejects.toMatchObject({ code: 'ROLE_MISSING' });
    for (const attempt of [
      members.update(tenant, ann.id, { roles: ['owner'] }, { grantedBy: admin }),
      members.update(tenant, olga.id, { name: 'Olga' }, { grantedBy: admin }),
      members.block(tenant, olga.id, { grantedBy: admin }),
      members.remove(tenant, olga.id, { grantedBy: admin }),
    ])
      await expect(attempt).rejects.toMatchObject({ code: 'ROLE_MISSING' });
    const approver = { ...admin, member: { roles: ['approver'] } };
    await members.update(tenant, ann.id, { roles: ['approver'] }, { grantedBy: approver });
    await members.add(tenant, person('by-owner', { roles: ['approver', 'owner'] }), {
      grantedBy: { scopes: ['*'] },
    });
  });
});

describe('roles', () => {
  it('are those of the application besides the defaults, which it cannot take away', async () => {
    const tenant = await makeTenant();
    expect(running.app.get(MemberRoles).list(tenant)).toEqual([
      { name: 'owner', scopes: ['*'], isIncluded: true },
      { name: 'admin', scopes: ['keys:*', 'members:*', 'orders:*'], isIncluded: true },
      { name: 'member', scopes: ['members:read'], isIncluded: true },
      { name: 'clerk', scopes: ['orders:read'], isIncluded: true },
      { name: 'approver', scopes: [], isIncluded: true },
    ]);
  });

  it('are given only as the plan includes them, and stay where they were given before', async () => {
    const tenant = await makeTenant('free');
    await addOwner(tenant);
    await expect(members.add(tenant, person('ann', { roles: ['admin'] }))).rejects.toMatchObject({
      code: 'ROLE_NOT_IN_PLAN',
      statusCode: 409,
    });
    const pro = { ...tenant, metadata: { plan: 'pro' } };
    const ann = await members.add(pro, person('ann', { roles: ['admin'] }));
    await database.query(`UPDATE tenancy.tenant_members SET roles = roles || '{gone}' WHERE id = $1`, [
      ann.id,
    ]);
    const kept = await members.update(tenant, ann.id, { roles: ['admin', 'gone', 'clerk'] });
    expect(kept.roles).toEqual(['admin', 'gone', 'clerk']);
    const roles = running.app.get(MemberRoles);
    expect(roles.counting(kept.roles, tenant)).toEqual(['clerk']);
    expect(roles.counting(kept.roles, pro)).toEqual(['admin', 'clerk']);
  });
});

describe('onMemberJoined', () => {
  it('is called in the transaction that adds the member, for the tenant', async () => {
    const tenant = await makeTenant();
    const seen: unknown[] = [];
    joined = async ({ member, manager, ...event }) => {
      const inside = await manager.query(`SELECT subject FROM tenancy.tenant_members WHERE id = $1`, [
        member.id,
      ]);
      const outside = await members.list(tenant, { limit: 5 });
      seen.push(event.tenant.id, inside, outside);
    };
    await addOwner(tenant);
    expect(seen).toEqual([tenant.id, [{ subject: 'olga' }], []]);
  });

  it('keeps somebody from joining by what it throws', async () => {
    const tenant = await makeTenant();
    joined = () => Promise.reject(new Error('the mail server says no'));
    await expect(addOwner(tenant)).rejects.toThrow('the mail server says no');
    expect(await subjectsOf(tenant)).toEqual([]);
    expect(await typesOf(tenant)).toEqual([]);
  });
});
