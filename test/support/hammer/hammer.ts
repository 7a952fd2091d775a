import { setImmediate as nextTurn } from 'node:timers/promises';
import { Client } from 'pg';
import type { DataSourceOptions } from 'typeorm';
import {
  initializeTenantDataSource,
  tenantDriver,
  withEmptySearchPathInUrl,
} from '../../../lib/connection/tenant-data-source';
import type { TenantPool } from '../../../lib/connection/tenant-pool';
import { TenantTransactions } from '../../../lib/connection/tenant-transactions';
import { TenantContext } from '../../../lib/context/tenant-context';
import { InMemoryTenantStore } from '../../../lib/tenant/in-memory-tenant.store';
import type { Tenant } from '../../../lib/tenant/tenant';
import { makeTenant } from '../tenants';
import { Ledger } from './ledger';
import { OPERATIONS } from './operations';
import { SeededRandom } from './random';

const MAX_OPERATION_MS = 10_000;

export interface HammerOptions {
  /** A database of its own, on a connection that is not the tested one. */
  readonly databaseUrl: string;
  /** Where the tested pool connects: a pooler perhaps. Default `databaseUrl`. */
  readonly poolUrl?: string;
  readonly seed: number;
  readonly tenants: number;
  readonly poolSize: number;
  readonly concurrency: number;
  readonly operations: number;
  /** How many operations come for each backend that is cancelled or terminated. */
  readonly operationsPerFault: number;
  /** End at the first finding: what is broken on purpose may hang. Default false. */
  readonly stopAtFinding?: boolean;
}

export interface HammerReport {
  readonly seed: number;
  readonly operations: number;
  readonly failedOperations: number;
  readonly faults: number;
  readonly rowsChecked: number;
  readonly wrongReads: number;
  readonly wrongWrites: number;
  readonly lostWrites: number;
  /** Operations that did not end. */
  readonly hangs: number;
  /** The first of what went wrong, in words. */
  readonly findings: readonly string[];
}

/**
 * Random operations of random tenants, interleaved on too few connections, with the same primary keys everywhere and
 * rows stamped with their tenant, while backends are cancelled and terminated. What is found wrong is counted.
 */
export async function runHammer(options: HammerOptions): Promise<HammerReport> {
  const admin = new Client({ connectionString: options.databaseUrl });
  await admin.connect();
  const tenants = await makeSchemas(admin, options.tenants);
  const context = new TenantContext(new InMemoryTenantStore());
  const dataSource = await openDataSource(options, context);
  const ledger = new Ledger();
  const random = new SeededRandom(options.seed);
  let failedOperations = 0;
  try {
    const names = Object.keys(OPERATIONS);
    let started = 0;
    const caller = async () => {
      while (started < options.operations && (!options.stopAtFinding || ledger.wrong.length === 0)) {
        const number = started++;
        if (number % options.operationsPerFault === 0) await hurt(admin, random, ledger);
        const tenant = random.pick(tenants);
        const world = {
          tenant,
          other: random.pick(tenants.filter((each) => each !== tenant)),
          write: `w${number}`,
          dataSource,
          pool: (dataSource.driver as unknown as { master: TenantPool }).master,
          transactions: new TenantTransactions(dataSource, context),
          context,
          ledger,
          random,
        };
        const name = random.pick(names);
        const work = context.run(tenant, () => OPERATIONS[name](world)).catch(() => failedOperations++);
        if (!(await settles(work))) return ledger.hang(name);
        if (random.next() < 0.2) await nextTurn();
      }
    };
    const callers = Promise.all(Array.from({ length: options.concurrency }, caller));
    await (options.stopAtFinding ? Promise.race([callers, ledger.found]) : callers);
    // A pool waits for every connection that it has lent, and one that is broken on purpose may never get it back.
    const closed = dataSource.destroy().catch(() => undefined);
    if (!options.stopAtFinding && ledger.hangs === 0) await closed;
    await checkTables(admin, tenants, ledger);
  } finally {
    await endSessions(admin);
    await admin.end();
  }
  const { faults, rowsChecked, wrongReads, wrongWrites, lostWrites, hangs, wrong: findings } = ledger;
  const { seed, operations } = options;
  return {
    seed,
    operations,
    failedOperations,
    faults,
    rowsChecked,
    wrongReads,
    wrongWrites,
    lostWrites,
    hangs,
    findings,
  };
}

async function checkTables(admin: Client, tenants: readonly Tenant[], ledger: Ledger): Promise<void> {
  for (const { slug, schemaName } of tenants) {
    ledger.checkTable(slug, (await admin.query(`SELECT owner, write FROM "${schemaName}".entry`)).rows);
    ledger.checkRows(
      slug,
      (await admin.query(`SELECT owner FROM "${schemaName}".account`)).rows,
      'at the end',
    );
  }
}

/** Ends whatever the pool still holds, and waits until it is gone. */
async function endSessions(admin: Client): Promise<void> {
  for (;;) {
    const { rowCount } = await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'hammer'`,
    );
    if (rowCount === 0) return;
  }
}

async function makeSchemas(admin: Client, count: number): Promise<Tenant[]> {
  const tenants = Array.from({ length: count }, (_, i) => makeTenant(`h${i}`));
  for (const { slug, schemaName } of tenants) {
    await admin.query(
      `DROP SCHEMA IF EXISTS "${schemaName}" CASCADE;
       CREATE SCHEMA "${schemaName}";
       CREATE TABLE "${schemaName}".account (id int PRIMARY KEY, owner text NOT NULL, value int NOT NULL DEFAULT 0);
       INSERT INTO "${schemaName}".account (id, owner) SELECT id, '${slug}' FROM generate_series(1, 5) AS id;
       CREATE TABLE "${schemaName}".entry (write text NOT NULL, owner text NOT NULL)`,
    );
  }
  return tenants;
}

function openDataSource(
  { databaseUrl, poolUrl = databaseUrl, poolSize }: HammerOptions,
  context: TenantContext,
) {
  const options = {
    type: 'postgres',
    url: withEmptySearchPathInUrl(poolUrl),
    driver: tenantDriver({ context }),
    installExtensions: false,
    poolSize,
    applicationName: 'hammer',
    // A connection that is cut while it is idle is no news here.
    poolErrorHandler: () => undefined,
    logging: false,
  } as DataSourceOptions;
  return initializeTenantDataSource(options, context);
}

/** Whether it ends, well or not. Nothing that the hammer does takes a second by itself. */
async function settles(work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), MAX_OPERATION_MS).unref();
  });
  const ended = await Promise.race([work.then(() => true), tooLong]);
  clearTimeout(timer);
  return ended;
}

/** Cancels what one backend of the pool does, or ends it. */
async function hurt(admin: Client, random: SeededRandom, ledger: Ledger): Promise<void> {
  const how = random.next() < 0.5 ? 'pg_cancel_backend' : 'pg_terminate_backend';
  const { rowCount } = await admin.query(
    `SELECT ${how}(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
     ORDER BY state = 'active' DESC, random() LIMIT 1`,
  );
  ledger.faults += rowCount ?? 0;
}
