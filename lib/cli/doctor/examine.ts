import { Pool } from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { connectionOf, ownersOf, ownSessionConnection } from '../../connection/typeorm/own-connections';
import { type DatabaseLogin, databaseLogin } from '../../connection/typeorm/database-login';
import { databaseOfServer } from '../../connection/servers/server-database';
import { DEFAULT_SERVER } from '../../placement/place';
import { reachDatabase, reaching } from '../../connection/typeorm/reach-database';
import type { CheckedTenancyOptions } from '../../options/tenancy.options';
import type { RegistryMigration } from '../../registry/registry-migrations';
import { findIdentity, findKnownServer, requireServer } from '../../registry/server-identity';
import { type Check, type Finding, ok, type Patient, problem, warning } from './finding';
import { checkRoles } from './wall-checks';
import {
  checkFleet,
  checkNeighbours,
  checkPlaces,
  checkRegistry,
  checkSharedSchemas,
  checkTemplate,
} from './registry-checks';
import {
  checkConnections,
  checkExtensions,
  checkLocks,
  checkPrivileges,
  checkVersion,
} from './server-checks';
import { checkSessions } from './pooler-checks';
import { checkDatabases } from './database-checks';
import { checkHalfDone, checkMarks, checkSchemas, checkSlots, checkSpares } from './tenant-checks';

/** What is looked at on every server. */
const SERVER_CHECKS: Readonly<Record<string, Check>> = {
  PostgreSQL: checkVersion,
  'session path': checkSessions,
  connections: checkConnections,
  locks: checkLocks,
  privileges: checkPrivileges,
  roles: checkRoles,
  extensions: checkExtensions,
};

const CHECKS: Readonly<Record<string, Check>> = {
  ...SERVER_CHECKS,
  registry: checkRegistry,
  registries: checkNeighbours,
  template: checkTemplate,
  'shared schemas': checkSharedSchemas,
};

/** Run only when the registry's tables are there. */
const TENANT_CHECKS: Readonly<Record<string, Check>> = {
  migrations: checkFleet,
  schemas: checkSchemas,
  marks: checkMarks,
  databases: checkDatabases,
  'half-done': checkHalfDone,
  slots: checkSlots,
  spares: checkSpares,
  servers: checkPlaces,
};

/** What is looked at on a further server. */
const FURTHER_CHECKS: Readonly<Record<string, Check>> = {
  ...SERVER_CHECKS,
  'shared schemas': checkSharedSchemas,
};

/** The checks that read the tables which a further server has. */
const FURTHER_TENANT_CHECKS: Readonly<Record<string, Check>> = {
  template: checkTemplate,
  migrations: checkFleet,
  schemas: checkSchemas,
  marks: checkMarks,
  databases: checkDatabases,
  slots: checkSlots,
  spares: checkSpares,
};

/** One attempt only: the user is waiting for the answer. */
const ONCE = { connectAttempts: 1, connectRetryDelayMs: 0 };

/** The findings of all checks. Each check runs, whatever the others find. */
export async function examine(
  options: CheckedTenancyOptions,
  registryMigrations: readonly RegistryMigration[],
): Promise<Finding[]> {
  const database = new DataSource(checkupOptions(options));
  try {
    await reachDatabase('The connection', loginOf(options), ONCE, () => database.initialize());
  } catch (error) {
    return [problem('connection', (error as Error).message, 'do what the message says')];
  }
  const pool = checkupPool(options);
  try {
    const patient = {
      server: DEFAULT_SERVER,
      options,
      registryMigrations,
      database,
      pool,
      registry: database,
    };
    const general = await runAll(CHECKS, patient);
    const hasRegistry = general.some(({ check, severity }) => check === 'registry' && severity !== 'problem');
    return [
      ok('connection', 'PostgreSQL answers'),
      ...general,
      ...(hasRegistry ? await runAll(TENANT_CHECKS, patient) : []),
      ...(hasRegistry ? await examineFurther(patient) : []),
    ];
  } finally {
    await pool.end();
    await database.destroy();
  }
}

/** The findings on the further servers; each begins with the server's name. */
async function examineFurther(home: Patient): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const name of Object.keys(home.options.servers))
    findings.push(...(await examineServer(home, name)).map((finding) => ofServer(name, finding)));
  return findings;
}

async function examineServer(home: Patient, server: string): Promise<Finding[]> {
  const { servers, spares } = home.options;
  const options = {
    ...home.options,
    database: databaseOfServer(home.options, server),
    // A server that takes no new tenants needs no spares.
    ...(servers[server].open === false && { spares: { ...spares, count: 0, databases: 0 } }),
  };
  const database = new DataSource(checkupOptions(options));
  try {
    await reachDatabase('The connection', loginOf(options), ONCE, () => database.initialize());
  } catch (error) {
    const message = `${(error as Error).message} Its tenants get 503; all others are served.`;
    return [problem('connection', message, 'do what the message says')];
  }
  const pool = checkupPool(options);
  try {
    const patient = { ...home, server, options, database, pool };
    const identity = await runAll({ identity: checkIdentity }, patient);
    const isOurs = identity.every(({ severity }) => severity === 'ok');
    return [
      ok('connection', 'PostgreSQL answers'),
      ...identity,
      ...(await runAll(FURTHER_CHECKS, patient)),
      ...(isOurs ? await runAll(FURTHER_TENANT_CHECKS, patient) : []),
    ];
  } finally {
    await pool.end();
    await database.destroy();
  }
}

/** Whether it is the server that the registry knows by this name. */
const checkIdentity: Check = async ({ server, options, database, registry }) => {
  const { schema } = options.registry;
  const found = await findIdentity(database, schema);
  const known = await findKnownServer(registry, schema, server);
  try {
    requireServer({ registryId: (await findIdentity(registry, schema))!.registryId, server }, found, known);
  } catch (error) {
    return problem('identity', (error as Error).message, 'do what the message says');
  }
  return found
    ? ok('identity', 'it is the server that the registry knows by this name')
    : warning(
        'identity',
        'it has no tables of nestjs-tenancy yet',
        'start the application, which makes them',
      );
};

/** The checks name options of `database`; those of a further server stand under `servers`. */
function ofServer(server: string, { check, message, remedy, ...finding }: Finding): Finding {
  const own = (text: string) =>
    text.replaceAll(
      /\bdatabase\.(url|adminUrl|directUrl|poolSize|databaseTemplate)\b( \(TENANCY_\w+\))?/g,
      `servers.${server}.$1`,
    );
  return {
    ...finding,
    check: `${server}: ${check}`,
    message: own(message),
    ...(remedy !== undefined && { remedy: own(remedy) }),
  };
}

/** One after another, because they use the same server and there is no hurry. */
async function runAll(checks: Readonly<Record<string, Check>>, patient: Patient): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [name, check] of Object.entries(checks)) {
    try {
      findings.push(...[await check(patient)].flat());
    } catch (error) {
      findings.push(
        problem(name, `the check failed: ${(error as Error).message}`, 'correct this, and run it again'),
      );
    }
  }
  return findings;
}

/** The login of `checkupOptions()`, for the error when it fails. */
function loginOf({ database }: CheckedTenancyOptions): DatabaseLogin {
  const owners = ownersOf(database);
  return owners.directUrl === undefined
    ? reaching(owners, database).login
    : databaseLogin({ url: owners.directUrl }, 'database.directUrl');
}

/** A connection that breaks, idle or not, ends nothing: the check that uses it next fails and says so. */
export function checkupPool({ database }: CheckedTenancyOptions): Pool {
  const pool = new Pool({
    ...ownSessionConnection({ ...database, directUrl: undefined, adminUrl: undefined }),
    max: 1,
  });
  // pg handles no error of a client while it is given out, and an unhandled one would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool.on('error', () => undefined);
}

function checkupOptions({ database, migrations }: CheckedTenancyOptions): DataSourceOptions {
  const owners = ownersOf(database);
  const connection = connectionOf(owners);
  return {
    ...connection,
    url: owners.directUrl ?? connection.url,
    type: 'postgres',
    entities: [],
    migrations,
    poolSize: 1,
    connectTimeoutMS: database.connectTimeoutMs,
    installExtensions: false,
  };
}
