import { Pool } from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { connectionOf, ownersOf, ownSessionConnection } from '../../connection/typeorm/own-connections';
import { type DatabaseLogin, databaseLogin } from '../../connection/typeorm/database-login';
import { reachDatabase, reaching } from '../../connection/typeorm/reach-database';
import type { CheckedTenancyOptions } from '../../options/tenancy.options';
import type { RegistryMigration } from '../../registry/registry-migrations';
import { type Check, type Finding, ok, type Patient, problem } from './finding';
import { checkRoles } from './wall-checks';
import {
  checkFleet,
  checkNeighbours,
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
import { checkHalfDone, checkMarks, checkSchemas, checkSpares } from './tenant-checks';

const CHECKS: Readonly<Record<string, Check>> = {
  PostgreSQL: checkVersion,
  'session path': checkSessions,
  connections: checkConnections,
  locks: checkLocks,
  privileges: checkPrivileges,
  roles: checkRoles,
  extensions: checkExtensions,
  registry: checkRegistry,
  registries: checkNeighbours,
  template: checkTemplate,
  'shared schemas': checkSharedSchemas,
};

/** The checks that read the registry. */
const TENANT_CHECKS: Readonly<Record<string, Check>> = {
  migrations: checkFleet,
  schemas: checkSchemas,
  marks: checkMarks,
  'half-done': checkHalfDone,
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
    const patient = { options, registryMigrations, database, pool };
    const general = await runAll(CHECKS, patient);
    const hasRegistry = general.some(({ check, severity }) => check === 'registry' && severity !== 'problem');
    return [
      ok('connection', 'PostgreSQL answers'),
      ...general,
      ...(hasRegistry ? await runAll(TENANT_CHECKS, patient) : []),
    ];
  } finally {
    await pool.end();
    await database.destroy();
  }
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
  // pg hears nothing of a connection while it is given out.
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
