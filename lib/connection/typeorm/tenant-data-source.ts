import * as pg from 'pg';
import type { Pool, PoolClient, PoolConfig } from 'pg';
import { DataSource, type DataSourceOptions, type QueryRunner } from 'typeorm';
import { endWhenSilent } from '../../common/silence';
import type { TenantContext } from '../../context/tenant-context';
import { leaveActiveRecords } from './active-records';
import { EntityUnknownError } from '../connection.errors';
import { UnsafeSessionError } from '../connection-start.errors';
import { checkEntitySchemas } from './entity-schemas';
import { checkSession, explainRefusal, probeSession } from '../protocol/session-probe';
import { guardLazyRelations } from './lazy-relations';
import { ReadPool } from '../pool/read-pool';
import type { Release } from '../pool/checkout';
import { TenantPool } from '../pool/tenant-pool';
import type { TenantPoolOptions } from '../pool/tenant-pool.options';

/** The name of the tenants' data source, for `@InjectRepository(Order, TENANT_DATA_SOURCE)` and its kin. */
export const TENANT_DATA_SOURCE = 'tenancy';

/**
 * The name of the data source that makes, changes and drops schemas, whoever they belong to. With `roles` its connections
 * are those of `database.adminUrl`; without, it is the tenants' one.
 */
export const ADMIN_DATA_SOURCE = 'tenancy-admin';

/** The `pg` that TypeORM is given: the real one, with our pool, whose connections work for one tenant at a time. */
export function tenantDriver({
  answerTimeoutMs,
  ...options
}: TenantPoolOptions & { readonly answerTimeoutMs?: number }): typeof pg {
  class BoundTenantPool extends TenantPool {
    constructor(config: PoolConfig) {
      super(config, options);
      endWhenSilent(this, answerTimeoutMs);
    }
  }
  // Where pg-native is installed TypeORM would take it instead; it speaks another protocol's subset.
  return { ...pg, native: null, Pool: BoundTenantPool };
}

export interface EntityOwnership {
  /** The schemas that entities may name. Default none. */
  readonly sharedSchemas?: readonly string[];
  /** Whether active-record entities become its own. Default true. */
  readonly servesRequests?: boolean;
}

/**
 * The initialised data source. TypeORM asks for the current schema while it starts; under the system's empty path the
 * answer is none, so all it generates later is unqualified and lands in the tenant of the moment.
 *
 * @throws EntityNamesSchemaError when entities name a schema that is not shared
 * @throws UnsafeSessionError when sessions do not start with an empty path
 * @throws UnsupportedStartupParameterError when a pooler refuses to pass on that they should
 */
export async function initializeTenantDataSource(
  options: DataSourceOptions,
  context: TenantContext,
  directUrl?: string,
  { sharedSchemas = [], servesRequests = true }: EntityOwnership = {},
): Promise<DataSource> {
  return context.runAsStart(async () => {
    const dataSource = keepLostConnections(new DataSource(options));
    if (!servesRequests) leaveActiveRecords(dataSource);
    await dataSource.initialize().catch((error: unknown) => {
      throw explainRefusal(error);
    });
    try {
      checkEntitySchemas(dataSource, sharedSchemas);
      const { master, slaves } = dataSource.driver as unknown as { master: TenantPool; slaves: TenantPool[] };
      master.hasOwnSessions = (await checkSession(master, directUrl)).pooler === 'none';
      for (const slave of slaves) {
        const { sessionPathIsEmpty, searchPath, pooler } = await probeSession(slave);
        if (!sessionPathIsEmpty) throw new UnsafeSessionError(searchPath);
        slave.hasOwnSessions = pooler === 'none';
      }
      readByServer(dataSource);
    } catch (error) {
      await dataSource.destroy();
      throw error;
    }
    guardLazyRelations(dataSource, context);
    giveOutShortly(dataSource);
    nameUnknownEntities(dataSource);
    return dataSource;
  });
}

/** As much of TypeORM's driver as decides where reads go. */
interface ReplicatedDriver {
  readonly master: TenantPool;
  slaves: Pool[];
  isReplicated: boolean;
}

/** TypeORM knows replicas of one server. It is given one that knows those of all. */
function readByServer({ driver }: DataSource): void {
  const replicated = driver as unknown as ReplicatedDriver;
  if (replicated.master.replicas.size === 0) return;
  replicated.isReplicated = true;
  replicated.slaves = [new ReadPool(replicated.master)];
}

type Obtained = [client: PoolClient, release: Release];

/** As much of TypeORM's driver as gives out connections. */
interface GivingDriver {
  master?: Pool;
  slaves: Pool[];
  obtainMasterConnection(): Promise<Obtained>;
  obtainSlaveConnection(): Promise<Obtained>;
}

/**
 * Has the driver give out connections as TypeORM's own does, but in no array literal. Of one that is often met V8 comes to
 * expect that it lives long, and puts it where only the slow collector looks: until that came, each kept its lease, with all that
 * hangs on it, from the quick one.
 */
function giveOutShortly({ driver }: DataSource): void {
  const giving = driver as unknown as GivingDriver;
  const { obtainMasterConnection } = giving;
  giving.obtainMasterConnection = () =>
    giving.master ? obtain(giving.master) : obtainMasterConnection.call(giving);
  giving.obtainSlaveConnection = () => {
    const { slaves } = giving;
    return slaves.length > 0
      ? obtain(slaves[Math.floor(Math.random() * slaves.length)])
      : giving.obtainMasterConnection();
  };
}

function obtain(pool: Pool): Promise<Obtained> {
  return new Promise((resolve, reject) => {
    pool.connect((error, client, release) =>
      error ? reject(error) : resolve(Array.of<unknown>(client, release) as Obtained),
    );
  });
}

/** What TypeORM calls when a runner is released, and with an error when its connection is lost. */
interface RunnerInternals {
  releasePostgresConnection(lost?: Error): Promise<void>;
}

/**
 * Has each query runner keep a connection that was lost until it is released. What is asked of it then fails with pg's own
 * words, which say an outage. TypeORM would release the runner at once, and say afterwards only that it was released, which
 * is what it says of a mistake in the code.
 */
export function keepLostConnections(dataSource: DataSource): DataSource {
  const create = dataSource.createQueryRunner.bind(dataSource);
  dataSource.createQueryRunner = (mode) => keeping(create(mode));
  return dataSource;
}

function keeping(queryRunner: QueryRunner): QueryRunner {
  (queryRunner as unknown as RunnerInternals).releasePostgresConnection = releaseUnlessLost;
  return queryRunner;
}

/** One for all runners, since each statement makes a runner. */
function releaseUnlessLost(this: RunnerInternals, lost?: Error): Promise<void> {
  const { releasePostgresConnection } = Object.getPrototypeOf(this) as RunnerInternals;
  return lost ? Promise.resolve() : releasePostgresConnection.call(this);
}

/** TypeORM says that there is no metadata, and not what to do. */
function nameUnknownEntities(dataSource: DataSource): void {
  const getMetadata = dataSource.getMetadata.bind(dataSource);
  dataSource.getMetadata = (target) => {
    try {
      return getMetadata(target);
    } catch (cause) {
      throw new EntityUnknownError(nameOf(target), { cause });
    }
  };
}

function nameOf(target: Parameters<DataSource['getMetadata']>[0]): string {
  if (typeof target === 'string') return target;
  return typeof target === 'function' || 'name' in target ? target.name : target.options.name;
}

/** The start-up options of a session that begins with an empty path, after whatever the caller has asked for. */
export function withEmptySearchPath(options: string | undefined): string {
  return [options, '-c search_path='].filter(Boolean).join(' ');
}

/** The same for a connection URL, whose own `options` would override ours. */
export function withEmptySearchPathInUrl(url: string): string {
  const parsed = new URL(url);
  parsed.searchParams.set(
    'options',
    withEmptySearchPath(parsed.searchParams.get('options') ?? process.env.PGOPTIONS),
  );
  return parsed.href;
}
