import { inRemedy } from '../../common/sql';
import { DEFAULT_SERVER } from '../../placement/place';
import { type Check, ok, problem, warning } from './finding';

/** The versions that the test suites run on. */
const OLDEST = 15;
const NEWEST = 18;

/** The registry's two pools of two connections each, and the connection that listens for its changes. Only where it is. */
const CONNECTIONS_BESIDE_POOL = 5;

/** Beside the table itself, a clone locks its indexes, its TOAST table with an index, and its row type. */
const LOCKS_PER_RELATION = 4;

export const checkVersion: Check = async ({ database }) => {
  const [{ version }] = await database.query<{ version: string }[]>(
    `SELECT pg_catalog.current_setting('server_version') AS version`,
  );
  const major = Number.parseInt(version, 10);
  if (major < OLDEST) {
    return problem(
      'PostgreSQL',
      `is of version ${version}`,
      `upgrade it to a version from ${OLDEST} to ${NEWEST}`,
    );
  }
  return major > NEWEST
    ? warning(
        'PostgreSQL',
        `is of version ${version}, newer than those with which this package was tested`,
        'look for a newer release of nestjs-tenancy',
      )
    : ok('PostgreSQL', `is of version ${version}`);
};

/** Whether the pools fit into the connections of the server, and for how many instances. */
export const checkConnections: Check = async ({ options, database, server }) => {
  const [{ max, reserved }] = await database.query<{ max: number; reserved: number }[]>(
    `SELECT pg_catalog.current_setting('max_connections')::int AS max,
            pg_catalog.current_setting('superuser_reserved_connections')::int AS reserved`,
  );
  const each = options.database.poolSize + (server === DEFAULT_SERVER ? CONNECTIONS_BESIDE_POOL : 0);
  const instances = Math.floor((max - reserved) / each);
  const message = `an instance takes up to ${each} connections, and PostgreSQL has ${max - reserved} for all: enough for ${instances}`;
  return instances >= 2
    ? ok('connections', message)
    : problem(
        'connections',
        message,
        'lower database.poolSize, raise max_connections, or put a pooler before PostgreSQL',
      );
};

/** A clone keeps locks on everything that it makes until it is committed. */
export const checkLocks: Check = async ({ options, database }) => {
  const [{ slots, relations }] = await database.query<{ slots: number; relations: number }[]>(
    `SELECT pg_catalog.current_setting('max_locks_per_transaction')::int * (
              pg_catalog.current_setting('max_connections')::int
              + pg_catalog.current_setting('max_prepared_transactions')::int) AS slots,
            (SELECT pg_catalog.count(*)::int FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1) AS relations`,
    [options.templateSchema],
  );
  const needed = relations * LOCKS_PER_RELATION;
  const message = `a clone of the template (${relations} relations) takes about ${needed} of ${slots} locks`;
  return needed * 4 <= slots
    ? ok('locks', message)
    : warning(
        'locks',
        `${message}: four at the same time may find none left`,
        'raise max_locks_per_transaction, and restart PostgreSQL',
      );
};

/** The rights that every role has in the database, and those of the application's role that it does not need. */
export const checkPrivileges: Check = async ({ database, options }) => {
  const [found] = await database.query<
    { name: string; role: string; temporary: boolean; public: boolean; create: boolean; super: boolean }[]
  >(
    `SELECT pg_catalog.quote_ident(d.datname) AS name, pg_catalog.quote_ident(current_user) AS role,
            EXISTS (SELECT FROM pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba)))
                    WHERE grantee = 0 AND privilege_type = 'TEMPORARY') AS temporary,
            EXISTS (SELECT FROM pg_catalog.pg_namespace n,
                      pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner)))
                    WHERE n.nspname = 'public' AND grantee = 0 AND privilege_type = 'CREATE') AS public,
            pg_catalog.has_database_privilege(d.oid, 'CREATE') AS create,
            (SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user) AS super
     FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`,
  );
  return [
    found.create
      ? ok('CREATE on the database', 'the role may make schemas')
      : problem(
          'CREATE on the database',
          'the role may not make schemas, so no tenants',
          `GRANT CREATE ON DATABASE ${found.name} TO ${found.role}`,
        ),
    found.super
      ? warning(
          'role',
          `${found.role} is a superuser, or bypasses row security: injected SQL could do anything`,
          'let the application log in as a role that owns its schemas and no more',
        )
      : ok('role', `${found.role} is not a superuser`),
    found.temporary
      ? warning(
          'TEMPORARY',
          'every role may create temporary tables, which stay in a session',
          `REVOKE TEMPORARY ON DATABASE ${found.name} FROM PUBLIC`,
        )
      : ok('TEMPORARY', 'not for every role'),
    found.public
      ? warning(
          'CREATE on public',
          `every role may create objects in the schema public${options.sharedSchemas.includes('public') ? ', which every tenant sees' : ''}`,
          'REVOKE CREATE ON SCHEMA public FROM PUBLIC',
        )
      : ok('CREATE on public', 'not for every role'),
  ];
};

/** Whether the shared schemas exist, and whether extensions are where tenants see them. */
export const checkExtensions: Check = async ({ database, options: { sharedSchemas, sharedMigrations } }) => {
  const missing = await database.query<{ name: string }[]>(
    `SELECT name FROM pg_catalog.unnest($1::text[]) AS name
     WHERE name NOT IN (SELECT nspname FROM pg_catalog.pg_namespace)`,
    [sharedSchemas],
  );
  const hidden = await database.query<{ extension: string; schema: string }[]>(
    `SELECT e.extname AS extension, n.nspname AS schema FROM pg_catalog.pg_extension e
     JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
     WHERE n.nspname <> 'pg_catalog' AND n.nspname <> ALL ($1::text[]) ORDER BY 1`,
    [sharedSchemas],
  );
  const findings = [
    ...missing.map(({ name }) =>
      problem(
        'sharedSchemas',
        `there is no schema "${name}"`,
        // Its migrations create the schema, and fail if someone else has created it.
        Object.hasOwn(sharedMigrations, name)
          ? 'its sharedMigrations make it: start the application, or run: tenancy migrate up'
          : `CREATE SCHEMA ${inRemedy(name)}, or take it from sharedSchemas`,
      ),
    ),
    ...hidden.map(({ extension, schema }) =>
      warning(
        'extensions',
        `${extension} is in the schema "${schema}", where tenants do not see it`,
        `name "${schema}" in sharedSchemas, or ALTER EXTENSION ${inRemedy(extension)} SET SCHEMA to one that is named there`,
      ),
    ),
  ];
  return findings.length > 0 ? findings : ok('extensions', 'tenants see all that are installed');
};
