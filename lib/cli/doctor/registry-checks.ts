import type { DataSource } from 'typeorm';
import { listed } from '../../common/listed';
import { quoteIdentifier } from '../../common/sql';
import { DEFAULT_SERVER } from '../../placement/place';
import { namedMigrations } from '../../provisioning/template/named-migrations';
import { describeNeighbours, findNeighbours } from '../../provisioning/marks/registry-neighbours';
import { findSharedSchemaProblems } from '../../provisioning/shared-schemas';
import { compileBlueprint } from '../../schema/blueprint';
import { SchemaNotCloneableError } from '../../schema/schema.errors';
import type { CheckedTenancyOptions } from '../../options/tenancy.options';
import { MIGRATIONS_TABLE } from '../../registry/migrate-registry';
import { CORE_MIGRATIONS, type RegistryMigration } from '../../registry/registry-migrations';
import { KNOWN_MIGRATIONS } from './known-migrations';
import { type Check, ok, type Patient, problem, skipped, warning } from './finding';

const MIGRATE = 'run: tenancy migrate up';

/** A run goes on without a further server whose template cannot be migrated, so to run it again may be of no use. */
const MIGRATE_ALL = 'run: tenancy migrate up. If that leaves the server out, do what its warning says first';

/** Whether the registry has the tables that the application and its modules need. */
export const checkRegistry: Check = async ({ options, registryMigrations, database }) => {
  const { schema } = options.registry;
  const seen = await namesIn(database, `${quoteIdentifier(schema)}.${MIGRATIONS_TABLE}`);
  if (!seen)
    return problem(
      'registry',
      `the schema "${schema}" has no registry yet`,
      'start the application, or ' + MIGRATE,
    );
  const pending = registryMigrations.filter((migration) =>
    namesOf(migration).every((name) => !seen.includes(name)),
  );
  // Migrations of a module that only other instances import are known, too.
  const known = KNOWN_MIGRATIONS.flatMap(namesOf);
  const newer = seen.filter((name) => !known.includes(name));
  if (pending.length > 0)
    return problem(
      'registry',
      `it lacks ${pending.map(({ name }) => name).join(', ')}`,
      'start the application, or ' + MIGRATE,
    );
  return newer.length > 0
    ? warning(
        'registry',
        `it is newer than this version of the package: ${newer.join(', ')}`,
        'use the version that the newest instance uses',
      )
    : ok(
        'registry',
        `has the tables of the application's modules, and is at ${CORE_MIGRATIONS.at(-1)!.name}`,
      );
};

/** The names under which the ledger may have it. */
function namesOf({ name, partOf }: RegistryMigration): string[] {
  return partOf === undefined ? [name] : [name, partOf];
}

/** Whether another registry in the database means that tenants are looked up in the wrong one. */
export const checkNeighbours: Check = async ({ options, database }) => {
  const neighbours = await findNeighbours(database, options.registry.schema);
  return neighbours.length > 0
    ? warning(
        'registries',
        describeNeighbours(neighbours, options.registry.schema),
        'if it is another application’s, nothing is to be done',
      )
    : ok('registries', 'no other shares the database');
};

/** Whether an object that a tenant lacks would be found, or made, in a shared schema. */
export const checkSharedSchemas: Check = async ({ options, database }) => {
  const { roles, sharedSchemas } = options;
  // With roles, `checkRoles` reports this.
  if (roles || sharedSchemas.length === 0) return [];
  const found = await findSharedSchemaProblems(database, options);
  if (found.length === 0)
    return ok('shared schemas', 'have no name of the template, and nothing can be made in them');
  return found.map(({ message }) => warning('shared schemas', message, 'do what the message says'));
};

/** Whether the template has all migrations, and can be cloned. */
export const checkTemplate: Check = async ({ options, database, server }) => {
  const wanted = namedMigrations(database.migrations).map(({ name }) => name);
  const seen = await templateMigrations(database, options);
  if (!seen) return skipped('template', 'there is no registry that says which migrations it has');
  const pending = wanted.filter((name) => !seen.includes(name));
  const unknown = seen.filter((name) => !wanted.includes(name));
  return [
    pending.length > 0
      ? problem(
          'template',
          `it lacks ${pending.join(', ')}`,
          server === DEFAULT_SERVER ? MIGRATE : MIGRATE_ALL,
        )
      : ok('template', wanted.length > 0 ? `is at ${wanted.at(-1)}` : 'there are no migrations'),
    ...(unknown.length > 0
      ? [
          warning(
            'template',
            `it has ${unknown.join(', ')}, which the code does not have`,
            'deploy the version that has them; if another application uses this database, give this one a templateSchema and a registry.schema of its own',
          ),
        ]
      : []),
    await checkCloneable(database, options.templateSchema),
  ];
};

async function checkCloneable(database: DataSource, templateSchema: string) {
  try {
    const { statements } = await database.transaction('READ COMMITTED', (manager) =>
      compileBlueprint(manager, templateSchema, { filled: 'all' }),
    );
    return ok('clone', `a tenant is made of ${statements.length} statements`);
  } catch (error) {
    if (error instanceof SchemaNotCloneableError) {
      return problem('clone', error.message, 'write a migration that does what each line says');
    }
    return problem('clone', (error as Error).message, MIGRATE);
  }
}

/** How many tenants lack a migration of the code, and in how many one has failed. */
export const checkFleet: Check = async (patient) => {
  const { options, database } = patient;
  if (options.store)
    return skipped(
      'migrations',
      'the tenants are in a store of the application’s own; run: tenancy migrate status',
    );
  const schema = quoteIdentifier(options.registry.schema);
  const names = namedMigrations(database.migrations).map(({ name }) => name);
  const tenants = (await tenantsOf(patient)).filter(({ status }) => status !== 'purged');
  const [{ behind, total, failed }] = await database.query<
    { behind: number; total: number; failed: string[] | null }[]
  >(
    `SELECT pg_catalog.count(*)::int AS total,
            pg_catalog.count(*) FILTER (WHERE done < pg_catalog.cardinality($1::text[]))::int AS behind,
            pg_catalog.array_agg(slug ORDER BY slug) FILTER (WHERE failed > 0) AS failed
     FROM (SELECT slug,
                  (SELECT pg_catalog.count(*) FROM ${schema}.tenant_migrations m
                   WHERE m.tenant_id = t.id AND m.state = 'done' AND m.name = ANY ($1::text[])) AS done,
                  (SELECT pg_catalog.count(*) FROM ${schema}.tenant_migrations m
                   WHERE m.tenant_id = t.id AND m.state <> 'done') AS failed
           FROM unnest($2::uuid[], $3::text[]) AS t (id, slug)) AS fleet`,
    [names, tenants.map(({ id }) => id), tenants.map(({ slug }) => slug)],
  );
  if (failed !== null)
    return problem(
      'migrations',
      `a migration has failed in ${failed.length} of ${total} tenants: ${listed(failed)}`,
      'see tenancy migrate status, correct it, and ' + MIGRATE,
    );
  return behind > 0
    ? problem('migrations', `${behind} of ${total} tenants lack a migration`, MIGRATE)
    : ok('migrations', `all ${total} tenants are at the version of the code`);
};

/** Tenants of servers that the options do not name: nothing else looks at them. */
export const checkPlaces: Check = async ({ options, registry }) => {
  if (options.store) return [];
  const strangers = await registry.query<{ server: string; tenants: number }[]>(
    `SELECT server, pg_catalog.count(*)::int AS tenants FROM ${quoteIdentifier(options.registry.schema)}.tenants
     WHERE status <> 'purged' AND server <> ALL ($1::text[]) GROUP BY server ORDER BY server`,
    [[DEFAULT_SERVER, ...Object.keys(options.servers)]],
  );
  return strangers.map(({ server, tenants }) =>
    problem(
      'servers',
      `${tenants} ${tenants === 1 ? 'tenant gets' : 'tenants get'} 503: the server ${JSON.stringify(server)} is not in the option servers`,
      'add it to the options of every instance',
    ),
  );
};

/** All tenants whose place is this server, with those whose schema is gone for good. */
export function tenantsOf({
  options,
  registry,
  server,
}: Patient): Promise<{ id: string; slug: string; schemaName: string; status: string; isolation: string }[]> {
  return registry.query(
    `SELECT id, slug::text AS slug, schema_name::text AS "schemaName", status::text AS status, isolation
     FROM ${quoteIdentifier(options.registry.schema)}.tenants WHERE server = $1 ORDER BY slug`,
    [server],
  );
}

export async function templateMigrations(
  database: DataSource,
  { registry }: CheckedTenancyOptions,
): Promise<string[] | undefined> {
  return namesIn(database, `${quoteIdentifier(registry.schema)}.template_migrations`);
}

/** The names in the table; `undefined` when there is no such table. */
async function namesIn(database: DataSource, table: string): Promise<string[] | undefined> {
  const [{ found }] = await database.query<{ found: boolean }[]>(
    'SELECT pg_catalog.to_regclass($1) IS NOT NULL AS found',
    [table],
  );
  if (!found) return undefined;
  const rows = await database.query<{ name: string }[]>(`SELECT name FROM ${table} ORDER BY timestamp, name`);
  return rows.map(({ name }) => name);
}
