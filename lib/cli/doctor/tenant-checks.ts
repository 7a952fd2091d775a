import { listed } from '../../common/listed';
import { quoteIdentifier } from '../../common/sql';
import { LINK_PREFIX, linkName } from '../../moves/move';
import { OWN_NAME } from '../../registry/schema-name';
import {
  describeCopies,
  findNeighbours,
  isOthers,
  newIdentity,
  registryIdIn,
  twinsAmong,
} from '../../provisioning/marks/registry-neighbours';
import { isSpareDatabaseOf } from '../../provisioning/marks/database-marks';
import {
  commentOn,
  IS_OF_BEFORE,
  isSpareOf,
  MARK,
  tenantComment,
} from '../../provisioning/marks/schema-marks';
import { type Check, type Finding, ok, type Patient, problem, skipped, warning } from './finding';
import { tenantsOf } from './registry-checks';

const ELSEWHERE = 'the tenants are in a store of the application’s own';

/** Whether there are schemas without a tenant, or tenants without a schema. For databases of their own see `checkDatabases`. */
export const checkSchemas: Check = async (patient) => {
  const { options, database, registry: home } = patient;
  if (options.store) return skipped('schemas', ELSEWHERE);
  const registry = quoteIdentifier(options.registry.schema);
  const registryId = await registryIdIn(database, options.registry.schema);
  const neighbours = await findNeighbours(database, options.registry.schema);
  const tenants = await tenantsOf(patient);
  const purges = await home.query<{ schemaName: string }[]>(
    `SELECT schema_name AS "schemaName" FROM ${registry}.purges`,
  );
  const unknown = await database.query<{ name: string; owner: string | null }[]>(
    `SELECT nspname AS name, ${MARK} AS owner FROM pg_catalog.pg_namespace n WHERE nspname ~ '${OWN_NAME}'
       AND NOT EXISTS (SELECT FROM pg_catalog.unnest($1::text[]) AS known WHERE known = n.nspname)
       AND NOT EXISTS (SELECT FROM ${registry}.spares WHERE schema_name = n.nspname) ORDER BY 1`,
    [[...tenants, ...purges].map(({ schemaName }) => schemaName)],
  );
  const orphans = unknown.filter(({ owner }) => owner === registryId);
  const strangers = unknown.filter(({ owner }) => owner !== registryId && !isOthers(neighbours, owner));
  const complete = tenants.filter(
    ({ status, isolation }) => isolation === 'schema' && status !== 'purged' && status !== 'provisioning',
  );
  const homeless = await database.query<{ name: string }[]>(
    `SELECT slug AS name FROM unnest($1::text[], $2::text[]) AS t (slug, schema_name)
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = t.schema_name) ORDER BY 1`,
    [complete.map(({ slug }) => slug), complete.map(({ schemaName }) => schemaName)],
  );
  const findings = [
    ...(orphans.length > 0
      ? [
          warning(
            'schemas',
            `no tenant's: ${named(orphans)}`,
            'the sweeper drops those without rows a day after it first saw them; adopt the others (tenancy tenant adopt), or drop them by hand',
          ),
        ]
      : []),
    ...(strangers.length > 0
      ? [
          warning(
            'schemas',
            `no tenant's, and without a mark of this registry: ${named(strangers)}`,
            'they are never touched; adopt them (tenancy tenant adopt), or drop them by hand',
          ),
        ]
      : []),
    ...(homeless.length > 0
      ? [
          problem(
            'schemas',
            `gone, of the tenants ${named(homeless)}`,
            'import them from a backup (tenancy import), or delete and purge them',
          ),
        ]
      : []),
  ];
  return findings.length > 0
    ? findings
    : ok('schemas', 'each belongs to a tenant, and each tenant has its own');
};

/** Whether there are tenants whose schemas lack the mark of this registry, so that a purge would not drop them. */
export const checkMarks: Check = async (patient) => {
  const { options, database } = patient;
  if (options.store) return skipped('marks', ELSEWHERE);
  const registryId = await registryIdIn(database, options.registry.schema);
  const copies = twinsAmong(await findNeighbours(database, options.registry.schema), registryId);
  if (copies.length > 0) return problem('marks', describeCopies(copies), newIdentity(copies[0]));
  const tenants = await tenantsOf(patient);
  const unmarked = await database.query<{ name: string; schemaName: string }[]>(
    `SELECT t.slug AS name, n.nspname AS "schemaName" FROM unnest($2::text[], $3::text[]) AS t (slug, schema_name)
     JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema_name
     WHERE ${MARK} IS DISTINCT FROM $1 AND ${IS_OF_BEFORE} IS NOT TRUE ORDER BY 1`,
    [registryId, tenants.map(({ slug }) => slug), tenants.map(({ schemaName }) => schemaName)],
  );
  if (unmarked.length === 0) return ok('marks', 'each tenant’s schema says that it belongs to this registry');
  const [{ name, schemaName }] = unmarked;
  return warning(
    'marks',
    `their schemas have no mark of this registry, so no purge drops them: ${named(unmarked)}`,
    `if they belong to it, mark each: ${commentOn(schemaName, tenantComment(name), registryId)}`,
  );
};

/** Work that a crash has interrupted and that the sweeper will finish. */
export const checkHalfDone: Check = async ({ options, database }) => {
  if (options.store) return skipped('half-done', ELSEWHERE);
  const registry = quoteIdentifier(options.registry.schema);
  const provisioning = await database.query<{ name: string }[]>(
    `SELECT slug AS name FROM ${registry}.tenants WHERE status = 'provisioning' ORDER BY 1`,
  );
  const purges = await database.query<{ name: string }[]>(
    `SELECT slug AS name FROM ${registry}.purges WHERE finished_at IS NULL ORDER BY 1`,
  );
  const remedy =
    'the sweeper of a running instance finishes it, unless sweeper.intervalMs is 0; calling a purge again finishes it, too';
  return [
    provisioning.length > 0
      ? warning('half-made tenants', named(provisioning), remedy)
      : ok('half-made tenants', 'none'),
    purges.length > 0 ? warning('unfinished purges', named(purges), remedy) : ok('unfinished purges', 'none'),
  ];
};

/** Whether moves have left slots, publications or subscriptions. A slot keeps the log until the disk is full. */
export const checkSlots: Check = async ({ options, database, registry }) => {
  if (options.store) return skipped('slots', ELSEWHERE);
  const open = await registry.query<{ id: string }[]>(
    `SELECT id FROM ${quoteIdentifier(options.registry.schema)}.moves WHERE finished_at IS NULL`,
  );
  const left = await database.query<{ name: string }[]>(
    `SELECT pg_catalog.format('slot %s, which keeps %s', slot_name,
         pg_catalog.pg_size_pretty(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn))) AS name
       FROM pg_catalog.pg_replication_slots
       WHERE database = pg_catalog.current_database() AND pg_catalog.starts_with(slot_name, $1) AND slot_name <> ALL ($2)
     UNION ALL SELECT 'publication ' || pubname FROM pg_catalog.pg_publication
       WHERE pg_catalog.starts_with(pubname, $1) AND pubname <> ALL ($2)
     UNION ALL SELECT 'subscription ' || subname FROM pg_catalog.pg_subscription s
       JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
       WHERE d.datname = pg_catalog.current_database() AND pg_catalog.starts_with(subname, $1) AND subname <> ALL ($2)
     ORDER BY 1`,
    [LINK_PREFIX, open.map(linkName)],
  );
  return left.length === 0
    ? ok('slots', 'no move has left one')
    : warning(
        'slots',
        `left by moves that have ended, or of another registry: ${named(left)}`,
        'the sweeper takes away those of this registry when both servers are there; see the runbook in docs/placement.md',
      );
};

export const checkSpares: Check = async (patient) => [
  await checkSpareSchemas(patient),
  ...(await checkSpareDatabases(patient)),
];

async function checkSpareSchemas({ options, database }: Patient): Promise<Finding> {
  const { count } = options.spares;
  const [{ ready, gone }] = await database.query<{ ready: number; gone: number }[]>(
    `SELECT pg_catalog.count(*) FILTER (WHERE waits AND template_version <> '')::int AS ready,
            pg_catalog.count(*) FILTER (WHERE NOT waits)::int AS gone
     FROM (SELECT template_version, EXISTS (SELECT FROM pg_catalog.pg_namespace n
             WHERE n.nspname = s.schema_name AND ${isSpareOf(options.registry.schema)}) AS waits
           FROM ${quoteIdentifier(options.registry.schema)}.spares s) AS spares`,
  );
  if (gone > 0)
    return warning(
      'spares',
      `the schemas of ${gone} are gone, or have no mark of a spare; ${ready} of ${count} are ready`,
      'nothing uses them, and the sweeper makes new ones; or run: tenancy spares --refill',
    );
  return ready < count
    ? warning(
        'spares',
        `${ready} of ${count} are ready, so sign-ups may have to wait for a clone`,
        'run: tenancy spares --refill',
      )
    : ok('spares', `${ready} are there, ${count} are wanted`);
}

/** Nothing where none are wanted. */
async function checkSpareDatabases({ options, database }: Patient): Promise<Finding[]> {
  const { databases: count } = options.spares;
  if (count === 0) return [];
  const { schema } = options.registry;
  const [{ ready }] = await database.query<{ ready: number }[]>(
    `SELECT pg_catalog.count(*)::int AS ready FROM ${quoteIdentifier(schema)}.databases s
     WHERE template_version IS NOT NULL AND EXISTS (SELECT FROM pg_catalog.pg_database d
       WHERE d.datname = s.name AND d.datconnlimit <> -2 AND ${isSpareDatabaseOf(schema)})`,
  );
  return [
    ready < count
      ? warning(
          'spare databases',
          `${ready} of ${count} are ready, so sign-ups may have to wait for one`,
          'run: tenancy spares --refill',
        )
      : ok('spare databases', `${ready} are there, ${count} are wanted`),
  ];
}

const named = (found: readonly { name: string }[]): string => listed(found.map(({ name }) => name));
