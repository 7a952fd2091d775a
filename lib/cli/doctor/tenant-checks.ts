import { quoteIdentifier } from '../../common/sql';
import { type Check, ok, problem, skipped, warning } from './finding';

/** So many are named; the others are counted. */
const MAX_NAMED = 10;

const ELSEWHERE = 'the tenants are in a store of the application’s own';

/** Schemas without a tenant, tenants without a schema. */
export const checkSchemas: Check = async ({ options, database }) => {
  if (options.store) return skipped('schemas', ELSEWHERE);
  const registry = quoteIdentifier(options.registry.schema);
  const orphans = await database.query<{ name: string }[]>(
    `SELECT nspname AS name FROM pg_catalog.pg_namespace n WHERE nspname ~ '^t_[a-z0-9]{20}$'
       AND NOT EXISTS (SELECT FROM ${registry}.tenants WHERE schema_name = n.nspname)
       AND NOT EXISTS (SELECT FROM ${registry}.spares WHERE schema_name = n.nspname)
       AND NOT EXISTS (SELECT FROM ${registry}.purges WHERE schema_name = n.nspname) ORDER BY 1`,
  );
  const homeless = await database.query<{ name: string }[]>(
    `SELECT slug AS name FROM ${registry}.tenants t WHERE status NOT IN ('purged', 'provisioning')
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = t.schema_name) ORDER BY 1`,
  );
  const findings = [
    ...(orphans.length > 0
      ? [
          warning(
            'schemas',
            `no tenant's: ${named(orphans)}`,
            'those without rows are dropped by the sweeper a day after it has seen them; adopt the others (tenancy tenant adopt), or drop them by hand',
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

/** What a crash has left, which the sweeper brings to an end. */
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
    'the sweeper of a running instance finishes it, if sweeper.intervalMs is not 0; a purge also goes on when it is called again';
  return [
    provisioning.length > 0
      ? warning('half-made tenants', named(provisioning), remedy)
      : ok('half-made tenants', 'none'),
    purges.length > 0 ? warning('unfinished purges', named(purges), remedy) : ok('unfinished purges', 'none'),
  ];
};

export const checkSpares: Check = async ({ options, database }) => {
  const { count } = options.spares;
  const [{ ready }] = await database.query<{ ready: number }[]>(
    `SELECT pg_catalog.count(*)::int AS ready FROM ${quoteIdentifier(options.registry.schema)}.spares WHERE template_version <> ''`,
  );
  return ready < count
    ? warning(
        'spares',
        `${ready} of ${count} are ready, so sign-ups may have to wait for a clone`,
        'run: tenancy spares --refill',
      )
    : ok('spares', `${ready} are there, ${count} are wanted`);
};

function named(found: readonly { name: string }[]): string {
  const names = found.slice(0, MAX_NAMED).map(({ name }) => name);
  const more = found.length - names.length;
  return names.join(', ') + (more > 0 ? ` and ${more} more` : '');
}
