import { examine } from '../../../lib/cli/doctor/examine';
import { resolveOptions } from '../../../lib/options/resolve-options';
import { CORE_MIGRATIONS } from '../../../lib/registry/registry-migrations';
import { type Tenant, type TenancyOptions } from '../../../lib';
import { notesOptions } from '../../support/notes';
import { type DatabasesWorld, startDatabases } from './world';

let world: DatabasesWorld;
let tenants: Tenant[];
beforeAll(async () => {
  world = await startDatabases();
  tenants = [await world.own('acme'), await world.own('lost'), await world.own('open')];
  await world.own('abroad', { place: { server: 'eu' } });
});
afterAll(() => world.close());

async function findings(check: string, changes: Partial<TenancyOptions> = {}): Promise<string[]> {
  const options = notesOptions(world.database, { servers: { eu: { url: world.way.url } }, ...changes });
  const found = await examine(resolveOptions(options), CORE_MIGRATIONS);
  return found
    .filter((each) => each.check === check)
    .map(({ severity, message, remedy }) => `${severity}: ${message}${remedy ? ` -> ${remedy}` : ''}`);
}

it('finds nothing wrong with databases that are as they were made', async () => {
  expect(await findings('databases')).toEqual(['ok: 3 tenants have one of their own, and more can be made']);
  expect(await findings('eu: databases')).toEqual([
    'ok: 1 tenants have one of their own, and more can be made',
  ]);
  expect(await findings('schemas')).toEqual([expect.stringMatching(/^ok: /)]);
});

it('names what is gone, left over, unmarked, of another role, open or closed, each with what to do', async () => {
  const [acme, lost, open] = tenants.map(({ schemaName }) => schemaName);
  const [left, begun, role] = [
    `t_${'left'.padEnd(20, '0')}`,
    `t_${'begun'.padEnd(20, '0')}`,
    `other_${process.pid}`,
  ];
  const [{ comment }] = await world.database.query<{ comment: string }>(
    `SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = $1`,
    [acme],
  );
  await world.database.query(`DROP DATABASE ${lost} WITH (FORCE)`);
  await world.database.query(`CREATE ROLE ${role}`);
  try {
    await world.database.query(`ALTER DATABASE ${open} OWNER TO ${role}`);
    await world.database.query(
      `GRANT CONNECT ON DATABASE ${open} TO PUBLIC; COMMENT ON DATABASE ${open} IS NULL`,
    );
    await world.database.query(`CREATE DATABASE ${left} TEMPLATE template0 STRATEGY file_copy`);
    await world.database.query(`COMMENT ON DATABASE ${left} IS '${comment}'`);
    await world.database.query(`INSERT INTO tenancy.databases (name) VALUES ('${begun}')`);
    expect(await findings('databases')).toEqual([
      'problem: gone, of the tenants lost -> import them from a backup (tenancy import), or delete and purge them',
      `warning: their databases have no mark of this registry, so no purge drops them: open -> if they belong to it, mark each: ` +
        `COMMENT ON DATABASE "${open}" IS '${comment.replace('tenant acme', 'tenant open')}'`,
      expect.stringMatching(/^warning: no tenant's: t_left0* -> /),
      expect.stringMatching(/^warning: being made, or left by a crash: t_begun0* -> /),
      `warning: every role may connect to those of open -> REVOKE CONNECT ON DATABASE "${open}" FROM PUBLIC, and so for each`,
    ]);
  } finally {
    await world.database.query(`DELETE FROM tenancy.databases WHERE name = '${begun}'`);
    await world.database.query(`ALTER DATABASE ${open} OWNER TO CURRENT_USER`);
    await world.database.query(`COMMENT ON DATABASE ${open} IS '${comment.replace('acme', 'open')}'`);
    await world.database.query(`REVOKE CONNECT ON DATABASE ${open} FROM PUBLIC; DROP ROLE ${role}`);
    await world.database.query(`DROP DATABASE ${left}`);
    await world.database.query(`DELETE FROM tenancy.tenants WHERE slug = 'lost'`);
  }
});

it('says why no more can be made: as a problem where some are wanted', async () => {
  const base = (databaseTemplate: string) =>
    findings('eu: databases', { servers: { eu: { url: world.way.url, databaseTemplate } } });
  expect(await base('nothing')).toEqual([
    'problem: servers.eu.databaseTemplate names "nothing", which is not there -> make it, or correct the name',
  ]);
  const [name] = new URL(world.eu.url).pathname.split('/').slice(1);
  expect(await base(name)).toEqual([
    expect.stringMatching(`none can be made while somebody works in "${name}".*ALLOW_CONNECTIONS false`),
  ]);
  await world.database.query(`CREATE SCHEMA reference; CREATE TABLE reference.country (code text)`);
  const shared = { sharedSchemas: ['reference'] };
  expect(await findings('databases', shared)).toEqual([
    expect.stringMatching(/^warning: no more can be made: .*name it as database\.databaseTemplate\.$/),
  ]);
  expect(await findings('databases', { ...shared, spares: { databases: 1 } })).toEqual([
    expect.stringMatching(/^problem: no more can be made/),
  ]);
  expect(await findings('spare databases', { spares: { databases: 1 } })).toEqual([
    expect.stringMatching(/^warning: 0 of 1 are ready/),
  ]);
});
