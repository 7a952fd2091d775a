import { type CliApp, startCliApp } from './cli-app';

jest.setTimeout(60_000);

let cli: CliApp;

beforeAll(async () => {
  cli = await startCliApp();
});
afterAll(() => cli.close());

/** An application whose migrations are these, by name and statement; one table of notes before them. */
function writeApp(file: string, migrations: Readonly<Record<string, string>>): Record<string, string> {
  const classes = Object.entries({
    CreateNotes1700000000000: 'CREATE TABLE note (id serial PRIMARY KEY, text varchar NOT NULL)',
    ...migrations,
  }).map(
    ([name, statement]) =>
      `class ${name} { async up(q) { await q.query(${JSON.stringify(statement)}); } async down() {} }`,
  );
  cli.write(
    file,
    `const { Module } = require('@nestjs/common');
     const { TenancyModule, fromHeader } = require('nestjs-tenancy');
     class App {}
     Module({ imports: [TenancyModule.forRoot({
       entities: [], migrations: [${classes.join(', ')}], resolvers: [fromHeader('x-tenant-id')],
     })] })(App);
     module.exports = { App };`,
  );
  return { ...cli.environment, TENANCY_MODULE: `./${file}#App` };
}

describe('pending migrations that will fail', () => {
  const PENDING = {
    AddState1700000001000: `CREATE TYPE "public"."note_state" AS ENUM ('new')`,
    AddIndex1700000002000: 'CREATE INDEX CONCURRENTLY notes ON note (text)',
  };
  let environment: Record<string, string>;

  beforeAll(async () => {
    const first = writeApp('first.js', {});
    expect(await cli.line.run(['migrate', 'up'], first)).toMatchObject({ code: 0 });
    environment = writeApp('second.js', PENDING);
  });

  it('are told by migrate plan, why they do and what helps, and it ends with 4', async () => {
    expect(await cli.line.run(['migrate', 'plan'], environment)).toEqual({
      code: 4,
      stderr: '',
      stdout: `AddState1700000001000: on the template and 0 tenants
    CREATE TYPE "public"."note_state" AS ENUM ('new');
  ✗ It names a schema, so it would work on that one schema for every tenant. Write names without a schema: "public"."note_state" → "note_state".
AddIndex1700000002000: on the template and 0 tenants
    CREATE INDEX CONCURRENTLY notes ON note (text);
  ✗ On an empty copy of the structure it fails: CREATE INDEX CONCURRENTLY cannot run inside a transaction block. What cannot run in a transaction goes by itself into a migration that says: readonly transaction = false.
`,
    });
  });

  it('are told by doctor', async () => {
    const { code, stdout } = await cli.line.run(['doctor', '--json'], environment);
    expect(code).toBe(4);
    const found = (JSON.parse(stdout) as { findings: { check: string; message: string }[] }).findings;
    expect(found.filter(({ check }) => check === 'pending migrations')).toEqual([
      expect.objectContaining({
        severity: 'problem',
        message: expect.stringContaining('"public"."note_state"'),
      }),
      expect.objectContaining({
        severity: 'problem',
        message: expect.stringContaining('transaction = false'),
      }),
    ]);
  });

  it('and when there are none, plan ends with 0', async () => {
    expect(await cli.line.run(['migrate', 'plan'], writeApp('third.js', {}))).toMatchObject({
      code: 0,
      stdout: 'Nothing to do.\n',
    });
  });
});

describe('a migration that fails in tenants', () => {
  it('is told by their slugs, by status and by doctor', async () => {
    const before = writeApp('before.js', {});
    await cli.line.run(['tenant', 'create', 'acme'], before);
    await cli.line.run(
      ['exec', '--tenant', 'acme', '--write', `INSERT INTO note (text) VALUES ('')`],
      before,
    );
    const after = writeApp('after.js', {
      NoEmpty1700000001000: `ALTER TABLE note ADD CONSTRAINT filled CHECK (text <> '')`,
    });
    expect(await cli.line.run(['migrate', 'up'], after)).toMatchObject({
      code: 4,
      stdout: expect.stringMatching(/^✗ acme: NoEmpty1700000001000: check constraint/m),
    });
    expect(await cli.line.run(['migrate', 'status'], after)).toMatchObject({
      code: 4,
      stdout: expect.stringMatching(/^✗ acme: NoEmpty1700000001000 failed: check constraint/m),
    });
    expect((await cli.line.run(['doctor'], after)).stdout).toContain(
      'a migration has failed in 1 of 1 tenants: acme\n',
    );
  });

  it('of which one that was edited is acknowledged once', async () => {
    const edited = writeApp('edited.js', {
      NoEmpty1700000001000: `ALTER TABLE note ADD CONSTRAINT filled CHECK (text != '')`,
    });
    const status = async () => (await cli.line.run(['migrate', 'status'], edited)).stdout;
    expect(await status()).toContain('NoEmpty1700000001000 was edited after it ran');
    const acknowledge = () => cli.line.run(['migrate', 'acknowledge', 'NoEmpty1700000001000'], edited);
    expect(await acknowledge()).toMatchObject({ code: 0, stdout: 'acknowledged: NoEmpty1700000001000\n' });
    expect(await status()).not.toContain('was edited');
    expect(await acknowledge()).toMatchObject({ code: 0, stdout: 'It was not edited.\n' });
  });
});

it('exec --all tells what was done before the list of tenants broke off, and why, and ends with 4', async () => {
  writeApp('tenants.js', {});
  cli.write(
    'broken.js',
    `const { TypeOrmTenantStore } = require('nestjs-tenancy');
     const { list } = TypeOrmTenantStore.prototype;
     TypeOrmTenantStore.prototype.list = async function (query) {
       if (query.afterId !== undefined) throw new Error('no other page');
       const [first] = await list.call(this, query);
       return Array.from({ length: query.limit }, () => first);
     };
     module.exports = require('./tenants.js');`,
  );
  const { code, stdout } = await cli.line.spawn(['exec', '--all', 'SELECT 1 AS one', '--json'], {
    ...cli.environment,
    TENANCY_MODULE: './broken.js#App',
  });
  const { tenants, error } = JSON.parse(stdout) as { tenants: { tenant: string }[]; error: string };
  expect([code, tenants.length, tenants[0].tenant]).toEqual([4, 100, 'acme']);
  expect(error).toContain('could not be read to its end (no other page)');
});

describe('migrate down', () => {
  it('says that the template has the migration no more', async () => {
    const app = writeApp('down.js', { AddPlace1700000001500: 'ALTER TABLE note ADD COLUMN place text' });
    expect((await cli.line.run(['migrate', 'up'], app)).stdout).toMatch(/^template: AddPlace1700000001500$/m);
    const { code, stdout } = await cli.line.run(['migrate', 'down', '--yes'], app);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^taken back from the template: AddPlace1700000001500$/m),
    });
  });
});
