import {
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantProvisioner,
  TenantStore,
  TenantSweeper,
} from '../../../lib';
import { generateSchemaName } from '../../../lib/registry/schema-name';
import { SpareRefill } from '../../../lib/provisioning/spares/spare-refill';
import { Note } from '../../support/notes';
import { startWorld, type World } from './world';

let world: World;
beforeEach(async () => {
  world = await startWorld({ sweeper: { intervalMs: 0, orphanAfterMs: 0 }, spares: { count: 2 } });
  await refill();
});
afterEach(() => world.close());

const refill = () => world.app.get(SpareRefill).refill();
const sweep = () => world.app.get(TenantSweeper).sweep();
const create = (slug: string) =>
  world.app.get(TenantProvisioner).create({ slug }, { place: { server: 'eu' } });
const as = <T>(tenant: Tenant, work: (connection: TenantConnection) => Promise<T>) =>
  world.app.get(TenantContext).run(tenant, () => work(world.app.get(TenantConnection)));
const sparesOfEu = async () =>
  (
    await world.eu.query<{ name: string }>('SELECT schema_name AS name FROM tenancy.spares ORDER BY slot')
  ).map(({ name }) => name);
/** A creation that was killed after it had written the tenant's row, and before its transaction on the server ended. */
const killedWith = (schemaName: string, slug = 'killed', server = 'eu', number = 9) =>
  world.app.get<TenantStore>(TenantStore).insert({
    ...{ id: `01900000-0000-7000-8000-00000000000${number}`, slug, name: slug, schemaName },
    ...{ status: 'provisioning', domains: [], metadata: {}, templateVersion: null, schemaVersion: null },
    place: { server, isolation: 'schema' },
  });

it('makes tenants while the spare of a killed creation waits for the sweeper, which loses nothing', async () => {
  const [taken, next] = await sparesOfEu();
  await killedWith(taken);
  await expect(create('acme')).resolves.toMatchObject({ schemaName: next });
  const { halfMade, problems } = await sweep();
  expect([halfMade.removed, problems]).toEqual([['killed'], []]);
  await sweep();
  await refill();
  const spares = await sparesOfEu();
  expect(spares).toHaveLength(2);
  const schemas = await world.eu.query<{ name: string }>(
    `SELECT nspname AS name FROM pg_namespace WHERE nspname ~ '^t_' ORDER BY 1`,
  );
  expect(schemas.map(({ name }) => name)).toEqual([next, ...spares].sort());
  await expect(create('killed')).resolves.toMatchObject({ status: 'active' });
});

it('keeps a tenant whose schema is a spare in the backup that its server was restored from', async () => {
  const backup = await world.eu.query<{ schema_name: string; comment: string }>(
    `SELECT schema_name, obj_description(schema_name::regnamespace) AS comment FROM tenancy.spares WHERE slot = 0`,
  );
  const acme = await create('acme');
  await refill();
  const [{ schema_name: restored, comment }] = backup;
  expect(restored).toBe(acme.schemaName);
  await world.eu.query(`COMMENT ON SCHEMA "${restored}" IS '${comment}'`);
  await world.eu.query('UPDATE tenancy.spares SET schema_name = $1 WHERE slot = 0', [restored]);
  await as(acme, (connection) => connection.getRepository(Note).save({ text: 'precious' }));
  // As after a migration of the template: all spares are made anew.
  await world.eu.query(`UPDATE tenancy.spares SET template_version = 'old'`);
  await refill();
  await sweep();
  await expect(create('globex')).resolves.toMatchObject({ status: 'active' });
  expect(await as(acme, (connection) => connection.getRepository(Note).find())).toMatchObject([
    { text: 'precious' },
  ]);
});

it('leaves a tenant alone that is still being made while the sweeper is at work', async () => {
  await create('source');
  const reports: unknown[] = [];
  const within = async () => void reports.push((await sweep()).halfMade);
  const copy = await world.app.get(TenantProvisioner).clone('source', 'copy', { within });
  expect(copy).toMatchObject({ status: 'active', place: { server: 'eu' } });
  expect(reports).toEqual([{ activated: [], removed: [] }]);
});

it('asks a server that is away once in a sweep, and settles what others have', async () => {
  for (const [number, server] of ['eu', 'eu', 'eu', 'default'].entries())
    await killedWith(generateSchemaName(), `killed-${number}`, server, number);
  await world.way.cut();
  // Those that were idle when it was cut tell nothing of the server.
  await sweep();
  const { problems } = await sweep();
  expect(problems.filter((problem) => problem.includes('half-made'))).toHaveLength(1);
  expect(await world.app.get<TenantStore>(TenantStore).list({ limit: 9, server: 'default' })).toEqual([]);
});
