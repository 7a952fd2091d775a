import { listed } from '../../common/listed';
import { inRemedy, quoteIdentifier } from '../../common/sql';
import { EMPTY_DATABASE, findObstacle } from '../../provisioning/homes/database-possible';
import { commentOnDatabase, DATABASE_MARK, DATABASE_SERVER } from '../../provisioning/marks/database-marks';
import { registryIdIn } from '../../provisioning/marks/registry-neighbours';
import { tenantComment } from '../../provisioning/marks/schema-marks';
import { OWN_NAME } from '../../registry/schema-name';
import { type Check, type Finding, ok, type Patient, problem, warning } from './finding';
import { tenantsOf } from './registry-checks';

const CHECK = 'databases';

/** Two databases are made at once, and each takes two sessions beside the pool. */
const CONNECTIONS_TO_MAKE = 4;

interface Known {
  readonly slug: string;
  readonly name: string;
  readonly isThere: boolean;
  readonly isMarked: boolean;
  readonly owner: string | null;
  readonly isOwned: boolean;
  readonly isOpen: boolean;
  readonly isClosedToLogin: boolean;
}

/** The databases of tenants on a server, and whether more can be made. Nothing where there are none, and none are wanted. */
export const checkDatabases: Check = async (patient) => {
  const { options, database, server } = patient;
  const { schema } = options.registry;
  const tenants = options.store
    ? []
    : (await tenantsOf(patient)).filter(
        ({ isolation, status }) =>
          isolation === 'database' && status !== 'purged' && status !== 'provisioning',
      );
  const registryId = await registryIdIn(database, schema);
  const left = options.store ? [] : await findLeft(patient, registryId);
  const isWanted = options.spares.databases > 0 || options.placement.default.isolation === 'database';
  if (tenants.length === 0 && left.length === 0 && !isWanted) return [];
  const known = await readKnown(patient, tenants, registryId);
  const origin = {
    server,
    template: options.database.databaseTemplate ?? EMPTY_DATABASE,
    sharedSchemas: options.sharedSchemas,
  };
  const obstacle = await findObstacle(database, origin);
  const findings = [
    ...lost(known),
    ...foreign(known, server, registryId),
    ...left,
    ...entries(known),
    ...(obstacle === undefined
      ? await checkBase(patient, origin.template)
      : [cannotBeMade(obstacle, isWanted)]),
    ...(await checkRoom(patient)),
  ];
  if (findings.length > 0) return findings;
  return ok(CHECK, `${tenants.length} tenants have one of their own, and more can be made`);
};

async function readKnown(
  { options, database, pool, server }: Patient,
  tenants: Awaited<ReturnType<typeof tenantsOf>>,
  registryId: string,
): Promise<Known[]> {
  const { rows } = await pool.query<{ login: string }>('SELECT session_user::text AS login');
  return database.query<Known[]>(
    `SELECT t.slug, t.name, d.oid IS NOT NULL AND d.datconnlimit <> -2 AS "isThere",
            coalesce(${DATABASE_MARK} = $3 AND ${DATABASE_SERVER} = $4, false) AS "isMarked",
            pg_catalog.pg_get_userbyid(d.datdba)::text AS owner,
            pg_catalog.pg_has_role(d.datdba, 'USAGE') AS "isOwned",
            pg_catalog.has_database_privilege('public', d.oid, 'CONNECT') AS "isOpen",
            $6::boolean AND NOT pg_catalog.has_database_privilege($5, d.oid, 'CONNECT') AS "isClosedToLogin"
     FROM unnest($1::text[], $2::text[]) AS t (slug, name) LEFT JOIN pg_catalog.pg_database d ON d.datname = t.name
     ORDER BY t.slug`,
    [
      tenants.map(({ slug }) => slug),
      tenants.map(({ schemaName }) => schemaName),
      registryId,
      server,
      rows[0].login,
      options.roles,
    ],
  );
}

function lost(known: readonly Known[]): Finding[] {
  const gone = known.filter(({ isThere }) => !isThere);
  if (gone.length === 0) return [];
  const remedy = 'import them from a backup (tenancy import), or delete and purge them';
  return [problem(CHECK, `gone, of the tenants ${slugs(gone)}`, remedy)];
}

/** Ours by the registry, and not by what they say of themselves or by who owns them. */
function foreign(known: readonly Known[], server: string, registryId: string): Finding[] {
  const there = known.filter(({ isThere }) => isThere);
  const unmarked = there.filter(({ isMarked }) => !isMarked);
  const others = there.filter(({ isOwned }) => !isOwned);
  const findings: Finding[] = [];
  if (unmarked.length > 0) {
    const [{ slug, name }] = unmarked;
    const mark = commentOnDatabase({ schemaName: name, server }, tenantComment(slug), registryId);
    findings.push(
      warning(
        CHECK,
        `their databases have no mark of this registry, so no purge drops them: ${slugs(unmarked)}`,
        `if they belong to it, mark each: ${mark}`,
      ),
    );
  }
  if (others.length > 0)
    findings.push(
      problem(
        CHECK,
        `of ${listed([...new Set(others.map(({ owner }) => `"${owner}"`))])}, so no purge drops them: those of ${slugs(others)}`,
        `ALTER DATABASE ${inRemedy(others[0].name)} OWNER TO the role of the application, and so for each`,
      ),
    );
  return findings;
}

/** Who may enter them. */
function entries(known: readonly Known[]): Finding[] {
  const open = known.filter(({ isThere, isOpen }) => isThere && isOpen);
  const closed = known.filter(({ isThere, isClosedToLogin }) => isThere && isClosedToLogin);
  return [
    ...(open.length > 0
      ? [
          warning(
            CHECK,
            `every role may connect to those of ${slugs(open)}`,
            `REVOKE CONNECT ON DATABASE ${inRemedy(open[0].name)} FROM PUBLIC, and so for each`,
          ),
        ]
      : []),
    ...(closed.length > 0
      ? [
          problem(
            CHECK,
            `the role of requests may not connect to those of ${slugs(closed)}`,
            `GRANT CONNECT ON DATABASE ${inRemedy(closed[0].name)} TO that role, and so for each`,
          ),
        ]
      : []),
  ];
}

/** Databases of this registry that are no tenant's. */
async function findLeft(
  { options, database, registry, server }: Patient,
  registryId: string,
): Promise<Finding[]> {
  const schema = quoteIdentifier(options.registry.schema);
  const noted = await database.query<{ name: string; isSpare: boolean }[]>(
    `SELECT name, slot IS NOT NULL AS "isSpare" FROM ${schema}.databases ORDER BY 1`,
  );
  const marked = await database.query<{ name: string }[]>(
    `SELECT d.datname::text AS name FROM pg_catalog.pg_database d
     WHERE d.datname ~ $1 AND ${DATABASE_SERVER} = $2 AND ${DATABASE_MARK} = $3 AND d.datname <> ALL ($4::text[]) ORDER BY 1`,
    [OWN_NAME, server, registryId, noted.map(({ name }) => name)],
  );
  const owned = await registry.query<{ name: string }[]>(
    `SELECT schema_name::text AS name FROM ${schema}.tenants WHERE schema_name = ANY ($1::text[])
     UNION SELECT schema_name::text FROM ${schema}.purges WHERE schema_name = ANY ($1::text[])`,
    [marked.map(({ name }) => name)],
  );
  const orphans = marked.filter(({ name }) => !owned.some((each) => each.name === name));
  const unfinished = noted.filter(({ isSpare }) => !isSpare);
  return [
    ...(orphans.length > 0
      ? [
          warning(
            CHECK,
            `no tenant's: ${names(orphans)}`,
            'the sweeper drops those without rows a day after it first saw them; look into the others, and drop them by hand',
          ),
        ]
      : []),
    ...(unfinished.length > 0
      ? [
          warning(
            CHECK,
            `being made, or left by a crash: ${names(unfinished)}`,
            'the sweeper of a running instance drops what nobody is making, unless sweeper.intervalMs is 0',
          ),
        ]
      : []),
  ];
}

/** `obstacle` says what to do. */
function cannotBeMade(obstacle: string, isWanted: boolean): Finding {
  const severity = isWanted ? 'problem' : 'warning';
  return { check: CHECK, severity, message: `no more can be made: ${obstacle}` };
}

/** Whether the database can be copied that tenants' own are made from. */
async function checkBase({ database }: Patient, template: string): Promise<Finding[]> {
  if (template === EMPTY_DATABASE) return [];
  const [base] = await database.query<{ mayBeCopied: boolean; isOpen: boolean }[]>(
    `SELECT d.datistemplate OR pg_catalog.pg_has_role(d.datdba, 'USAGE') AS "mayBeCopied", d.datallowconn AS "isOpen"
     FROM pg_catalog.pg_database d WHERE d.datname = $1`,
    [template],
  );
  const name = inRemedy(template);
  if (!base)
    return [
      problem(
        CHECK,
        `database.databaseTemplate names "${template}", which is not there`,
        'make it, or correct the name',
      ),
    ];
  if (!base.mayBeCopied)
    return [
      problem(
        CHECK,
        `none can be made from "${template}", which another role owns`,
        `ALTER DATABASE ${name} IS_TEMPLATE true`,
      ),
    ];
  return base.isOpen
    ? [
        warning(
          CHECK,
          `none can be made while somebody works in "${template}", and everybody may`,
          `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`,
        ),
      ]
    : [];
}

/** To make one takes connections that are none of the pool's. */
async function checkRoom({ options, database }: Patient): Promise<Finding[]> {
  const [{ room }] = await database.query<{ room: number }[]>(
    `SELECT pg_catalog.current_setting('max_connections')::int - pg_catalog.current_setting('superuser_reserved_connections')::int AS room`,
  );
  const { poolSize } = options.database;
  if (poolSize + CONNECTIONS_TO_MAKE <= room) return [];
  return [
    problem(
      CHECK,
      `an instance takes up to ${poolSize} connections, and ${CONNECTIONS_TO_MAKE} more while databases are made, and PostgreSQL has ${room} for all`,
      'lower database.poolSize, or raise max_connections',
    ),
  ];
}

const slugs = (found: readonly Known[]): string => listed(found.map(({ slug }) => slug));
const names = (found: readonly { name: string }[]): string => listed(found.map(({ name }) => name));
