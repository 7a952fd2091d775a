import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { cleanEnvironment, REPOSITORY } from '../../support/commands';
import { type CliApp, startCliApp } from './cli-app';

jest.setTimeout(300_000);

/** Timers, a worker of a queue, and a hook that writes a row into a column that is unique. */
let cli: CliApp;

beforeAll(async () => {
  cli = await startCliApp({ background: join(REPOSITORY, 'test/support/background-app') });
  Object.assign(cli.environment, { TENANCY_MODULE: 'background/app.js#BackgroundApp' });
});
afterAll(() => cli.close());

describe('an application with timers and workers', () => {
  it('is migrated without any of them', async () => {
    const { code, stderr } = await cli.line.spawn(['migrate', 'up'], cli.environment);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringMatching(/ran:|ECONNREFUSED/) });
  });

  it('has its hooks and what they need', async () => {
    const { code, stderr } = await cli.line.spawn(['tenant', 'create', 'acme'], cli.environment);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringMatching(/ran:|ECONNREFUSED/) });
    expect(hookOf(stderr)).toEqual({
      slug: 'acme',
      origin: 'create',
      isConnected: true,
      hasWorker: false,
      jobs: 0,
    });
  });
});

describe('events', () => {
  it('are listed, exported and followed', async () => {
    const { stdout } = await cli.run('events', 'list', 'acme', '--type', 'tenant.*');
    expect(stdout).toMatch(
      /^time +tenant +sequence +type +actor +subject +position\n\S+Z +\S+ +1 +tenant\.created +/,
    );
    const exported = await cli.run('events', 'export', 'acme');
    const [first] = exported.stdout
      .split('\n')
      .map((line) => (line === '' ? {} : (JSON.parse(line) as object)));
    expect(first).toMatchObject({ type: 'tenant.created', sequence: '1' });
    expect((await cli.json('events', 'list', '--type', 'no.such')).data).toEqual([]);
    expect(await cli.run('events', 'list', 'nobody')).toMatchObject({ code: 3 });
    const sound = await cli.run('events', 'verify', 'acme');
    expect(sound).toMatchObject({ code: 0, stdout: expect.stringMatching(/^head \d+:[0-9a-f]{64}\n/) });
    const [, head] = /^head (\S+)/.exec(sound.stdout)!;
    await cli.database.query(`UPDATE tenancy.tenant_events SET type = 'tenant.x' WHERE sequence = 1`);
    const tampered = await cli.run('events', 'verify', 'acme', '--head', head);
    expect(tampered).toMatchObject({ code: 4, stdout: expect.stringContaining('event 1 changed') });
    expect(await cli.json('events', 'verify')).toMatchObject({
      found: [{ problems: [{ kind: 'changed' }] }],
    });
    await cli.database.query(`UPDATE tenancy.tenant_events SET type = 'tenant.created' WHERE sequence = 1`);
    for (const wrong of [
      ['--type', 'a%'],
      ['--from', 'noon'],
      ['--limit', '0'],
    ])
      expect(await cli.run('events', 'list', ...wrong)).toMatchObject({ code: 2, stdout: '' });

    const child = spawn(process.execPath, [cli.line.program, 'events', 'follow', 'acme', '--after', '0'], {
      cwd: cli.line.directory,
      env: cleanEnvironment(cli.environment),
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const closed = once(child, 'close');
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    expect(JSON.parse(line.toString().split('\n')[0])).toEqual(first);
    child.kill('SIGINT');
    expect(await closed).toEqual([130, null]);
  });
});

describe('timers', () => {
  it('are told with the tenants that failed in their last run', async () => {
    expect(await cli.run('timers')).toMatchObject({ code: 0, stdout: 'No timers.\n' });
    await cli.database.query(
      `INSERT INTO tenancy.timers (name, expression, time_zone) VALUES ('reminders', '* * * * * *', 'UTC')`,
    );
    await cli.database.query(
      `INSERT INTO tenancy.timer_runs (name, fire_at, state, claim_id, holder, lease_until, visited, failed)
       VALUES ('reminders', '2026-01-01T03:00:00Z', 'done', gen_random_uuid(), 'host', now(), 7, 2)`,
    );
    await cli.database.query(
      `INSERT INTO tenancy.timer_failures VALUES ('reminders', '2026-01-01T03:00:00Z', gen_random_uuid(), 'globex', E'no\\nmail')`,
    );
    const { code, stdout } = await cli.run('timers');
    expect(code).toBe(4);
    expect(stdout).toMatch(
      /^timer +expression +time zone +next +last +state +tenants +failed +skipped\nreminders +\* \* \* \* \* \* +UTC +\S+Z +2026-01-01T03:00:00Z +done +7 +2 +0\nreminders: globex: no\\u000amail\nreminders: and 1 more\n$/,
    );
    const [timer] = (await cli.json('timers')).timers as object[];
    expect(timer).toMatchObject({
      name: 'reminders',
      lastRun: {
        visited: 7,
        failures: [{ slug: 'globex', error: 'no\nmail' }],
        error: null,
        finishedAt: null,
      },
    });
  });
});

describe('webhooks', () => {
  const endpoint = '01930000-0000-7000-8000-000000000001';
  const delivery = '01930000-0000-7000-8000-000000000002';

  it('are listed, and sent again', async () => {
    expect(await cli.run('webhooks', 'list', 'acme')).toMatchObject({
      ...{ code: 0, stdout: 'acme has no webhook endpoints.\n' },
    });
    await cli.database.query(
      `INSERT INTO tenancy.webhook_endpoints (id, tenant_id, url) SELECT $1, id, 'https://example.com/hooks' FROM tenancy.tenants`,
      [endpoint],
    );
    await cli.database.query(
      `INSERT INTO tenancy.webhook_deliveries (id, endpoint_id, tenant_id, event_id, type, payload, status, attempt, finished_at)
       SELECT $2, $1, id, $2, 'order.shipped', '{}', 'dead', 10, now() FROM tenancy.tenants`,
      [endpoint, delivery],
    );
    const { code, stdout } = await cli.run('webhooks', 'list', 'acme');
    expect(code).toBe(4);
    expect(stdout).toMatch(
      /^endpoint .*\n01930000-\S+1 +https:\/\/example.com\/hooks +enabled +0 +1 +– +–\n$/,
    );
    const resend = (...what: string[]) => cli.run('webhooks', 'resend', 'acme', endpoint, ...what);
    expect((await resend()).code).toBe(2);
    expect((await resend('--since', 'yesterday')).code).toBe(2);
    expect(await resend('--since', '2020-01-01T00:00:00Z')).toMatchObject({
      ...{ code: 0, stdout: '1 will be sent again by the instances of the application.\n' },
    });
    const { endpoints } = await cli.json('webhooks', 'list', 'acme');
    expect(endpoints).toMatchObject([{ id: endpoint, pending: 1, dead: 0 }]);
    expect((await resend('--delivery', delivery)).code).toBe(0);
    expect((await resend('--delivery', endpoint)).code).toBe(3);
  });
});

describe('members', () => {
  it('are added, listed and removed, and the doctor names roles that are gone', async () => {
    const added = await cli.json(
      'members',
      'add',
      'acme',
      'olga',
      '--roles',
      'owner',
      '--email',
      'olga@shop.example',
    );
    expect(added).toMatchObject({ subject: 'olga', issuer: '', roles: ['owner'] });
    const ann = await cli.json('members', 'add', 'acme', 'ann', '--issuer', 'https://login.example');
    const { code, stdout } = await cli.run('members', 'list', 'acme');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^member .*\n\S+ +olga +active +owner +olga@shop.example +–\n\S+ +ann +active +member /,
    );
    expect(await cli.run('members', 'remove', 'acme', added.id)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('last active owner'),
    });
    await cli.database.query(`UPDATE tenancy.tenant_members SET roles = '{auditor}' WHERE subject = 'ann'`);
    const { findings } = await cli.json('doctor');
    expect(findings).toContainEqual(
      expect.objectContaining({
        check: 'roles of members',
        severity: 'warning',
        message: expect.stringContaining('"auditor" (1)'),
      }),
    );
    expect((await cli.run('members', 'remove', 'acme', ann.id)).code).toBe(0);
    expect(await cli.json('members', 'list', 'acme', '--email', 'OLGA@shop.example')).toMatchObject({
      data: [{ subject: 'olga' }],
    });
  });
});

describe('a hook', () => {
  it.each([
    ['clone', ['tenant', 'clone', 'acme', 'acme-test']],
    ['import', ['import', 'acme.tenant', '--slug', 'acme-copy']],
  ])(
    'is told of a %s, and when it writes a row that is there, the error says so',
    async (origin, command) => {
      await cli.run('export', 'acme', '--to', 'acme.tenant', '--force');
      const failed = await cli.run(...command);
      expect(failed).toMatchObject({ code: 1, stdout: '' });
      expect(failed.stderr).toMatch(
        `error: The hook "Currencies" failed (origin: ${origin}), so the tenant was not created; nothing of it was kept: ` +
          'duplicate key value violates unique constraint "currencies_code_key". A tenant of this origin has rows already: ' +
          'the hook gets the origin as its third argument',
      );
      const { code, stderr } = await cli.line.run(command, { ...cli.environment, TELLS_APART: 'yes' });
      expect({ code, origin: hookOf(stderr).origin }).toEqual({ code: 0, origin });
    },
  );
});

function hookOf(stderr: string): { origin?: unknown } {
  return JSON.parse(/^hook: (.*)$/m.exec(stderr)?.[1] ?? '{}') as { origin?: unknown };
}

describe('api-key create', () => {
  it('makes the tables of keys where the application has only now been given them', async () => {
    await cli.database.query(`DROP TABLE tenancy.api_key_uses, tenancy.api_keys;
      DELETE FROM tenancy.registry_migrations WHERE name = 'CreateTenantApiKeys1763600500000'`);
    expect(await cli.run('api-key', 'create', 'acme')).toMatchObject({ code: 0 });
  });

  it('makes a key, and prints its text', async () => {
    const scopes = ['--scopes', 'orders:read,orders:write'];
    const made = await cli.json('api-key', 'create', 'acme', ...scopes, '--name', 'the till', '--ip', '::1');
    expect(made).toMatchObject({
      key: expect.stringMatching(/^shop_/),
      name: 'the till',
      scopes: ['orders:read', 'orders:write'],
      allowedIps: ['::1'],
      expiresAt: null,
    });
    const digest = createHash('sha256').update(made.key).digest();
    expect(await cli.database.query('SELECT id FROM tenancy.api_keys WHERE digest = $1', [digest])).toEqual([
      { id: made.id },
    ]);
    const { stdout } = await cli.run('api-key', 'create', 'acme');
    expect(stdout).toMatch(
      /^key +shop_\w+\nid +\S+\ntenant +acme\nname +command line\nscopes +–\nexpires +never\n$/,
    );
  });

  it.each([
    [['nobody'], 3, /No such tenant.*\n.*tenancy tenant list/],
    [['acme', '--scopes', 'Orders'], 3, /scopes/],
    [['acme', '--expires', 'tomorrow'], 3, /expiresAt: must be a time in the future/],
  ])('%j is refused with %i', async (args, code, stderr) => {
    expect(await cli.run('api-key', 'create', ...args)).toEqual({
      code,
      stdout: '',
      stderr: expect.stringMatching(stderr),
    });
  });

  it('says what an application without keys lacks', async () => {
    const environment = { ...cli.environment, TENANCY_MODULE: 'dist/app.module.js#AppModule' };
    expect(await cli.line.run(['api-key', 'create', 'acme'], environment)).toEqual({
      code: 2,
      stdout: '',
      stderr: 'error: The application has no ApiKeys: import TenancyAccessModule in its root module first.\n',
    });
  });
});
