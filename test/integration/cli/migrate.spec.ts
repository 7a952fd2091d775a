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
  ✗ It names a schema, so it means the same in all tenants. Write names without one: "public"."note_state" → "note_state".
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
