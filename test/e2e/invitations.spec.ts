import { fromHeader, TenancyModule, type Tenant, TenantLifecycle, TenantPurge } from '../../lib';
import { ApiKeys, fromApiKey, TenancyAccessModule } from '../../lib/access';
import { TenancyAdminModule } from '../../lib/admin';
import { fromJwtClaim } from '../../lib/jwt';
import { type InvitationMail, Invitations, MembersService, TenancyMembersModule } from '../../lib/members';
import { EventTrail } from '../../lib/registry/events/event-trail';
import { SECRET, token } from '../support/access-app';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { whileMembersAreLocked } from '../support/member-turns';
import { notesOptions } from '../support/notes';
import { type RawAnswer, rawRequest } from '../support/raw-request';
import { ADAPTERS, MASTER_KEY } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

const ISSUER = 'https://issuer.example';
const refused = (status: number, code: string) =>
  expect.objectContaining({ status, body: expect.objectContaining({ statusCode: status, code }) });

/** On one of them: what differs between them is below. */
describe.each(ADAPTERS.slice(-1))('Invitations on %s', (_platform, adapter) => {
  let database: TestDatabase;
  let running: TestApp;
  let invitations: Invitations;
  let members: MembersService;
  let acme: Tenant;
  /** Of a caller who may invite members and admins, but no owner. */
  let key: string;
  const mails: InvitationMail[] = [];
  let send: () => Promise<void> = () => Promise.resolve();

  beforeAll(async () => {
    database = await createTestDatabase();
    const mailer = {
      sendInvitation: (mail: InvitationMail) => {
        mails.push(mail);
        return send();
      },
    };
    running = await startTestApp(
      {
        imports: [
          TenancyModule.forRoot(
            notesOptions(database, {
              resolvers: [
                fromHeader('x-tenant-id'),
                fromApiKey(),
                fromJwtClaim({ claim: 'tenants', several: true, secret: SECRET }),
              ],
            }),
          ),
          TenancyAccessModule.forRoot(),
          TenancyMembersModule.forRoot({
            roles: { clerk: ['orders:read'] },
            plans: { small: { maxMembers: 2 }, big: {} },
            defaultPlan: 'big',
            invitations: {
              mailer,
              acceptUrl: 'https://app.example.com/join',
              mailTimeoutMs: 200,
              maxPending: 10,
            },
          }),
          TenancyAdminModule.forRoot({ masterKey: MASTER_KEY, members: true }),
        ],
      },
      { adapter: adapter() },
    );
    invitations = running.app.get(Invitations);
    members = running.app.get(MembersService);
    acme = await running.create({ slug: 'acme' });
    ({ key } = await running.app
      .get(ApiKeys)
      .create(acme.id, { name: 'test', scopes: ['members:*', 'keys:*', 'orders:read'] }));
  });
  afterAll(async () => {
    await running?.close();
    await database?.drop();
  });

  let made = 0;
  const makeTenant = (plan = 'big') => running.create({ slug: `globex-${(made += 1)}`, metadata: { plan } });
  const newAddress = () => `ann-${(made += 1)}@shop.example`;

  function call(
    line: string,
    body?: unknown,
    headers: Record<string, string> = { 'x-api-key': key },
  ): Promise<RawAnswer> {
    const [method, path] = line.split(' ');
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    return rawRequest(running.url, path, {
      method,
      headers: { ...type, ...headers } as Record<string, string>,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }
  const ofPerson = async (claims: Record<string, unknown>) => ({
    authorization: `Bearer ${await token({ iss: ISSUER, ...claims })}`,
  });
  const accept = async (secret: string, claims: Record<string, unknown>, more: Record<string, string> = {}) =>
    call('POST /invitations/accept', { secret }, { ...(await ofPerson(claims)), ...more });
  const verified = (email: string, sub = email) => ({ sub, email, email_verified: true });
  const eventsOf = async ({ id }: Tenant) =>
    (
      await running.app
        .get(EventTrail, { strict: false })
        .list({ tenantId: id, types: ['invitation.*', 'member.*'], limit: 100 })
    ).map(({ type }) => type);

  it('make the invited person a member, whatever tenant they come from, and are mailed with a link', async () => {
    mails.length = 0;
    const { status, body } = await call('POST /tenant/invitations', {
      email: 'Ann.Lee@Shop.Example',
      roles: ['clerk'],
      scopes: ['members:read'],
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      tenantId: acme.id,
      email: 'Ann.Lee@Shop.Example',
      anyEmail: false,
      roles: ['clerk'],
      scopes: ['members:read'],
      status: 'pending',
      invitedBy: expect.stringMatching(/^api key /),
      memberId: null,
      isMailed: true,
      secret: expect.stringMatching(/^inv_[0-9a-f]{32}_[0-9A-Za-z]{49}$/),
      expiresAt: expect.any(String),
      createdAt: expect.any(String),
      updatedAt: expect.any(String),
    });
    expect(Date.parse(body.expiresAt) - Date.parse(body.createdAt)).toBe(172_800_000);
    expect(mails).toMatchObject([
      { to: 'Ann.Lee@Shop.Example', link: `https://app.example.com/join#${body.secret}` },
    ]);
    const shown = await call(`GET /tenant/invitations/${body.id}`);
    expect(JSON.stringify(shown.body)).not.toContain(body.secret.slice(-20));
    // Nowhere in what is kept.
    const rows = await database.query('SELECT to_jsonb(i)::text AS row FROM tenancy.tenant_invitations i');
    expect(JSON.stringify(rows)).not.toContain(body.secret.slice(37));

    const joined = await accept(body.secret, {
      ...verified('ann.lee@SHOP.example', 'ann'),
      tenants: ['elsewhere'],
      name: 'Ann',
    });
    expect(joined).toMatchObject({
      status: 201,
      body: {
        tenant: { id: acme.id, slug: 'acme' },
        member: { roles: ['clerk'], scopes: ['members:read'] },
      },
    });
    await expect(members.get(acme, joined.body.member.id)).resolves.toMatchObject({
      issuer: ISSUER,
      subject: 'ann',
      name: 'Ann',
      email: 'ann.lee@SHOP.example',
    });
    // From now on their own token is good there.
    expect(
      await call('GET /tenant/invitations', undefined, {
        ...(await ofPerson({ sub: 'ann' })),
        'x-tenant-id': 'acme',
      }),
    ).toMatchObject({ status: 200 });
    await expect(eventsOf(acme)).resolves.toEqual([
      'invitation.created',
      'member.added',
      'invitation.accepted',
    ]);
    // Once.
    expect(await accept(body.secret, verified('ann.lee@shop.example', 'ann'))).toEqual(
      refused(410, 'INVITATION_ENDED'),
    );
  });

  it('are only for the address that was invited, once its owner has proven it, unless they say otherwise', async () => {
    const tenant = await makeTenant();
    const email = newAddress();
    const { secret } = await invitations.invite(tenant, { email });
    for (const claims of [
      verified('eve@shop.example'),
      // A Cyrillic letter that looks like the first one.
      verified(email.replace('a', 'а')),
      { sub: 'ann', email },
      { sub: 'ann', email, email_verified: false },
      { sub: 'ann', email: [email], email_verified: true },
      { sub: 'ann', email_verified: true },
    ])
      expect(await accept(secret, claims)).toEqual(refused(403, 'INVITATION_NOT_YOURS'));
    expect(await call('POST /invitations/accept', { secret }, {})).toEqual(refused(401, 'UNAUTHENTICATED'));
    expect(await call('POST /invitations/accept', { secret })).toEqual(refused(401, 'UNAUTHENTICATED'));
    expect(await call('POST /invitations/accept', { secret }, { authorization: 'Bearer x.y.z' })).toEqual(
      refused(401, 'TENANT_TOKEN_INVALID'),
    );
    expect(await members.list(tenant, { limit: 5 })).toEqual([]);
    expect((await accept(secret, verified(email))).status).toBe(201);

    const open = await invitations.invite(tenant, { email: newAddress(), anyEmail: true });
    expect((await accept(open.secret, { sub: 'somebody' })).status).toBe(201);
  });

  it('count once, with the last secret, for 48 hours, until they are declined or revoked', async () => {
    const tenant = await makeTenant();
    const email = newAddress();
    const first = await invitations.invite(tenant, { email });
    await expect(invitations.invite(tenant, { email: email.toUpperCase() })).rejects.toMatchObject({
      code: 'INVITATION_PENDING',
    });
    const again = await invitations.resend(tenant, first.id);
    expect(again.secret).not.toBe(first.secret);
    for (const secret of [
      first.secret,
      again.secret.slice(0, -1),
      `${again.secret.slice(0, -1)}${again.secret.endsWith('x') ? 'y' : 'x'}`,
      again.secret.replace(/^inv_/, 'key_'),
      first.id,
      '',
      'x'.repeat(100_000),
    ]) {
      expect(await accept(secret, verified(email))).toEqual(refused(404, 'INVITATION_NOT_FOUND'));
      expect(await call('POST /invitations/decline', { secret }, {})).toEqual(
        refused(404, 'INVITATION_NOT_FOUND'),
      );
    }
    expect((await call('POST /invitations/decline', { secret: again.secret }, {})).status).toBe(204);
    expect(await accept(again.secret, verified(email))).toEqual(refused(410, 'INVITATION_ENDED'));
    await expect(invitations.resend(tenant, first.id)).rejects.toMatchObject({ code: 'INVITATION_ENDED' });

    const second = await invitations.invite(tenant, { email });
    await invitations.revoke(tenant, second.id, { actor: 'ops' });
    expect(await accept(second.secret, verified(email))).toEqual(refused(410, 'INVITATION_ENDED'));

    const third = await invitations.invite(tenant, { email });
    await database.query(
      `UPDATE tenancy.tenant_invitations SET expires_at = clock_timestamp() WHERE id = $1`,
      [third.id],
    );
    expect(await accept(third.secret, verified(email))).toEqual(refused(410, 'INVITATION_ENDED'));
    // An address whose time is over can be invited again, and the older invitation cannot come back beside that.
    const fourth = await invitations.invite(tenant, { email });
    await expect(invitations.resend(tenant, third.id)).rejects.toMatchObject({ code: 'INVITATION_PENDING' });
    const ids = async (all: boolean) =>
      (await invitations.list(tenant, { limit: 9, all })).map(({ id }) => id);
    await expect(ids(false)).resolves.toEqual([fourth.id]);
    await expect(ids(true)).resolves.toEqual([first.id, second.id, third.id, fourth.id]);
    expect((await accept(fourth.secret, verified(email))).status).toBe(201);
  });

  it('give no more than who invites has, and nothing that is unknown', async () => {
    const invite = (more: object) => call('POST /tenant/invitations', { email: newAddress(), ...more });
    expect(await invite({ roles: ['owner'] })).toEqual(refused(403, 'ROLE_MISSING'));
    expect(await invite({ scopes: ['orders:write'] })).toEqual(refused(403, 'SCOPE_MISSING'));
    for (const [field, bad] of [
      ['roles', { roles: ['boss'] }],
      ['scopes', { scopes: ['everything'] }],
      ['scopes', { scopes: ['*'] }],
      ['email', { email: 'no address' }],
      ['email', { email: `${'x'.repeat(308)}@example.com` }],
      ['anyEmail', { anyEmail: 'yes' }],
      ['id', { id: '1' }],
    ] as const)
      expect(await invite(bad)).toMatchObject({ status: 400, body: { errors: [{ field }] } });
    // Nor does who lacks them send one again, or end it.
    const { id } = await invitations.invite(acme, { email: newAddress(), roles: ['owner'] });
    expect(await call(`POST /tenant/invitations/${id}/resend`)).toEqual(refused(403, 'ROLE_MISSING'));
    expect(await call(`DELETE /tenant/invitations/${id}`)).toEqual(refused(403, 'ROLE_MISSING'));
    const reader = await running.app
      .get(ApiKeys)
      .create(acme.id, { name: 'reader', scopes: ['members:read'] });
    expect(await call('GET /tenant/invitations', undefined, { 'x-api-key': reader.key })).toMatchObject({
      status: 200,
    });
    expect(
      await call('POST /tenant/invitations', { email: newAddress() }, { 'x-api-key': reader.key }),
    ).toEqual(refused(403, 'SCOPE_MISSING'));
  });

  it('take a seat when they are accepted, for one of many at once', async () => {
    const tenant = await makeTenant('small');
    await members.add(tenant, { subject: 'olga', roles: ['owner'] });
    const open = await invitations.invite(tenant, { email: newAddress(), anyEmail: true });
    const tries = await whileMembersAreLocked(database, tenant.id, () =>
      Array.from({ length: 6 }, (_, index) => accept(open.secret, { sub: `racer-${index}` })),
    );
    expect(tries.map(({ status }) => status).sort()).toEqual([201, 410, 410, 410, 410, 410]);

    const email = newAddress();
    const late = await invitations.invite(tenant, { email });
    expect(await accept(late.secret, verified(email))).toEqual(refused(409, 'MEMBER_LIMIT'));
    expect(await members.list(tenant, { limit: 9 })).toHaveLength(2);
    // It is still good when a seat is free again.
    const [, second] = await members.list(tenant, { limit: 9 });
    await members.remove(tenant, second.id);
    expect((await accept(late.secret, verified(email))).status).toBe(201);
    // A member need not join again.
    const other = await invitations.invite(tenant, { email });
    expect(await accept(other.secret, verified(email))).toEqual(refused(409, 'MEMBER_EXISTS'));
  });

  it('give what is left of their roles, in a tenant that is active, and end with it', async () => {
    const tenant = await makeTenant();
    const [one, two] = [newAddress(), newAddress()];
    const { id, secret } = await invitations.invite(tenant, { email: one, roles: ['clerk'] });
    await database.query(`UPDATE tenancy.tenant_invitations SET roles = '{gone,clerk}' WHERE id = $1`, [id]);
    expect(await accept(secret, verified(one))).toMatchObject({
      status: 201,
      body: { member: { roles: ['clerk'] } },
    });

    const lifecycle = running.app.get(TenantLifecycle);
    const left = await invitations.invite(tenant, { email: two });
    await lifecycle.suspend(tenant.id);
    expect(await accept(left.secret, verified(two))).toEqual(refused(403, 'TENANT_NOT_ACTIVE'));
    await lifecycle.delete(tenant.id);
    await running.app.get(TenantPurge).purge(tenant.id);
    expect(await accept(left.secret, verified(two))).toEqual(refused(404, 'INVITATION_NOT_FOUND'));
    await expect(invitations.invite(tenant, { email: two })).rejects.toMatchObject({
      code: 'TENANT_NOT_FOUND',
    });
  });

  it('are managed with a master key, in pages, on conditions, and once for each Idempotency-Key', async () => {
    const { slug } = await makeTenant();
    const master = { 'x-master-key': MASTER_KEY };
    const path = `/admin/tenants/${slug}/invitations`;
    const body = { email: newAddress(), roles: ['owner'] };
    const once = { ...master, 'idempotency-key': 'one' };
    const first = await call(`POST ${path}`, body, once);
    expect(await call(`POST ${path}`, body, once)).toEqual(first);
    expect(await call(`POST ${path}`, { ...body, email: newAddress() }, once)).toEqual(
      refused(422, 'IDEMPOTENCY_KEY_REUSED'),
    );
    const kept = await database.query(`SELECT to_jsonb(k)::text AS row FROM tenancy.idempotency_keys k`);
    expect(JSON.stringify(kept)).not.toContain(first.body.secret.slice(37));
    const second = await call(`POST ${path}`, { email: newAddress() }, master);

    const page = await call(`GET ${path}?limit=1`, undefined, master);
    expect(page.body.data).toMatchObject([{ id: first.body.id, invitedBy: 'master' }]);
    const rest = await call(`GET ${path}?limit=1&cursor=${String(page.body.nextCursor)}`, undefined, master);
    expect(rest.body).toMatchObject({ data: [{ id: second.body.id }], nextCursor: null });
    const one = `${path}/${first.body.id}`;
    expect(await call(`DELETE ${one}`, undefined, { ...master, 'if-match': `"${first.body.id}.9"` })).toEqual(
      refused(412, 'PRECONDITION_FAILED'),
    );
    // The same key for another invitation is another request.
    const again = { ...master, 'idempotency-key': 'again' };
    const sent = await call(`POST ${one}/resend`, undefined, again);
    expect(await call(`POST ${one}/resend`, undefined, again)).toEqual(sent);
    expect((await call(`POST ${path}/${String(second.body.id)}/resend`, undefined, again)).body.id).toBe(
      second.body.id,
    );
    expect(
      await call(`DELETE ${one}`, undefined, { ...master, 'if-match': `"${first.body.id}.2"` }),
    ).toMatchObject({ status: 200, body: { status: 'revoked' } });
    expect((await call(`GET ${path}?status=all`, undefined, master)).body.data).toHaveLength(2);
    expect(await call(`GET ${path}/nonsense`, undefined, master)).toEqual(
      refused(404, 'INVITATION_NOT_FOUND'),
    );
    expect(
      await call(
        'POST /invitations/accept',
        { secret: second.body.secret, more: 1 },
        await ofPerson({ sub: 'x' }),
      ),
    ).toMatchObject({ status: 400, body: { errors: [{ field: 'more' }] } });
  });

  it('stay when no mail goes out, which their answer says, and have a bound', async () => {
    const tenant = await makeTenant();
    for (const failing of [
      () => Promise.reject(new Error('no such host')),
      () => new Promise<void>(() => undefined),
    ]) {
      send = failing;
      const shown = await invitations.invite(tenant, { email: newAddress() });
      expect(shown).toMatchObject({ status: 'pending', isMailed: false });
    }
    send = () => Promise.resolve();
    for (let count = 2; count < 10; count++) await invitations.invite(tenant, { email: newAddress() });
    await expect(invitations.invite(tenant, { email: newAddress() })).rejects.toMatchObject({
      code: 'INVITATION_LIMIT',
    });
  });
});
