import type { Tenant } from '../../../lib';
import {
  HttpHammer,
  type IsolationHammerOptions,
  type IsolationHammerReport,
  runIsolationHammer,
} from '../../../lib/testing';
import type { TestDatabase } from '../database';
import { FUNCTIONS } from './functions';
import type { HammerWorld } from './hammer-world';
import { headersOf, lifeCycle } from './life-cycle';
import { MISUSE } from './misuse';
import type { HammerMoves } from './moves';
import { missingSchemas } from './missing-schemas';
import { sweeps } from './neighbours';
import { inProcess, type Operation } from './operation';
import { READS } from './reads';
import { requests } from './requests';
import { SHARED_TRANSACTIONS } from './shared-transactions';
import { KEYS } from './shop';
import { insertForAnotherInside, WRITES } from './writes';

type Database = Pick<TestDatabase, 'url' | 'query'>;

export interface HammerOptions extends Pick<
  IsolationHammerOptions<Tenant>,
  'operations' | 'seed' | 'operationsPerFault' | 'stopAtFinding' | 'timeoutMs' | 'onFinding' | 'onProgress'
> {
  /** Which operations: in the process, over HTTP, or both. Default both. */
  readonly over?: 'process' | 'http';
  /** How often an operation comes that costs its connection, compared to the others. Default 1. */
  readonly misuseWeight?: number;
  /** Tenants move meanwhile. */
  readonly moving?: HammerMoves;
}

/** TypeORM gives a stream's connection back before PostgreSQL has said its last word, so that is destroyed, too. */
const COSTLY = [...Object.keys(MISUSE), ...Object.keys(FUNCTIONS), 'readQueryBuilderStream'];

/** Every operation of this house on every instance, over HTTP and in the process. */
export async function hammer(
  world: HammerWorld,
  database: Database,
  { over, misuseWeight = 1, moving, onProgress, ...options }: HammerOptions,
): Promise<IsolationHammerReport> {
  const { instances, tenants } = world;
  const http = new HttpHammer<Tenant>({ urls: instances.map(({ url }) => url), headersOf });
  const operations = { ...READS, ...WRITES, ...SHARED_TRANSACTIONS, ...FUNCTIONS, ...MISUSE };
  // With one connection the transaction of the other could never begin.
  const isRoomy = instances.every(({ pool }) => pool.options.max > 1);
  const nested: Record<string, Operation> = isRoomy
    ? { insertForAnotherInside: insertForAnotherInside() }
    : {};
  try {
    return await runIsolationHammer<Tenant>({
      ...options,
      tenants,
      kinds: {
        ...(over !== 'http' && inProcess(instances, { ...operations, ...nested })),
        ...(over !== 'process' && requests(http)),
      },
      weights: over === 'http' ? {} : Object.fromEntries(COSTLY.map((kind) => [kind, misuseWeight])),
      prepare: async ({ tenant, stamp }) =>
        (await world.databaseOf(tenant)).query(
          `INSERT INTO "${tenant.schemaName}".account (id, owner) SELECT id, $1 FROM generate_series(1, $2) AS id`,
          [stamp, KEYS],
        ),
      readAll: async (tenant) => {
        await moving?.settled();
        return allEntries(await world.databaseOf(tenant), tenant);
      },
      onProgress: (number) => {
        moving?.onProgress(number);
        onProgress?.(number);
      },
      disturbances: {
        ...sweeps(world),
        ...missingSchemas(world, database),
        ...(over !== 'process' && lifeCycle(instances)),
      },
      databaseUrl: database.url,
    });
  } finally {
    http.close();
  }
}

/** When nothing is being written any more. */
async function allEntries(database: Pick<Database, 'query'>, { schemaName }: Tenant): Promise<unknown[]> {
  const busy = () =>
    database.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
         AND backend_type = 'client backend' AND state IN ('active', 'idle in transaction')
         AND query ~ 'INSERT INTO entry|COPY entry|"entry"'`,
    );
  while ((await busy()).length > 0);
  return database.query(`SELECT stamp FROM "${schemaName}".entry`);
}
