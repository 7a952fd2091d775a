import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager, QueryRunner } from 'typeorm';
import { listed } from '../../common/listed';
import { inRemedy, quoteIdentifier, quoteLiteral, type SqlExecutor } from '../../common/sql';
import { CONNECTION_OPTIONS, type ConnectionOptions } from '../../connection/connection.options';
import { databaseOfServer } from '../../connection/servers/server-database';
import { OwnSessions } from '../../connection/typeorm/own-sessions';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';
import { TenantContext } from '../../context/tenant-context';
import type { Site } from '../../placement/place';
import { PlaceNotPossibleError } from '../../placement/placement.errors';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { EMPTY_DATABASE, findObstacle, listShared } from './database-possible';

/** SQLSTATEs of CREATE DATABASE. */
const INSUFFICIENT_PRIVILEGE = '42501';
const OBJECT_IN_USE = '55006';
const INVALID_CATALOG_NAME = '3D000';
const DUPLICATE_DATABASE = '42P04';

/** SQL: the key of the advisory lock that says that the database $1 is being made. */
const MAKING = `pg_catalog.hashtextextended('tenancy makes database ' || $1, 0)`;

/** Names shown in an error. */
const MAX_NAMED = 5;

/** What can be asked of a server about the databases of tenants, and the statements that no transaction takes. */
@Injectable()
export class TenantDatabases {
  /** The table that notes what is being made, or waits. */
  readonly noted: string;

  constructor(
    private readonly context: TenantContext,
    private readonly sessions: OwnSessions,
    private readonly transactions: SystemTransactions,
    @Inject(CONNECTION_OPTIONS) private readonly connection: ConnectionOptions,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {
    this.noted = `${quoteIdentifier(options.registrySchema)}.databases`;
  }

  /** @throws PlaceNotPossibleError when the server cannot have a database for a tenant */
  async requirePossible(server: string): Promise<void> {
    const origin = { server, template: this.#templateOn(server), sharedSchemas: this.options.sharedSchemas };
    const obstacle = await this.transactions.run((manager) => findObstacle(manager, origin), server);
    if (obstacle !== undefined) throw new PlaceNotPossibleError(obstacle);
  }

  /** What is in the server's shared schemas, to be compared with what a tenant's database has. */
  async listShared(manager: SqlExecutor): Promise<string[]> {
    return (await listShared(manager, this.options.sharedSchemas)).map(({ what }) => what);
  }

  /**
   * Makes the shared schemas that a new database lacks, and which are empty on the server.
   *
   * @param wanted what the server's main database has in them
   * @throws PlaceNotPossibleError when the database was made from one that lacks something of it
   */
  async prepareShared(manager: EntityManager, server: string, wanted: readonly string[]): Promise<void> {
    const found = new Set(await this.listShared(manager));
    const missing = wanted.filter((what) => !found.has(what));
    if (missing.length > 0)
      throw new PlaceNotPossibleError(
        `The database "${this.#templateOn(server)}", from which tenants' own databases are made on the server "${server}", lacks ` +
          `${listed(missing, MAX_NAMED)}, which sharedSchemas have there. Make it in that database, too.`,
      );
    for (const name of this.options.sharedSchemas)
      await manager.query(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(name)}`);
  }

  /**
   * What `work` gives, in a session of its own on the server, with a transaction that is committed when it resolves. The session
   * is none of the pool's, which may have one only, and `work` asks it for more.
   */
  keeping<T>(server: string, work: (keeper: EntityManager) => Promise<T>): Promise<T> {
    return this.#inSession({ server }, async (session) => {
      await session.startTransaction('READ COMMITTED');
      try {
        // While the tenant's database is filled it has nothing to do.
        await session.query('SET LOCAL idle_in_transaction_session_timeout = 0');
        const result = await work(session.manager);
        await session.commitTransaction();
        return result;
      } catch (error) {
        await session.rollbackTransaction().catch(() => undefined);
        throw error;
      }
    });
  }

  /** Keeps the sweeper's hands off a database that is being made, until the transaction ends. */
  async lock(transaction: SqlExecutor, name: string): Promise<void> {
    await transaction.query(`SELECT pg_catalog.pg_advisory_xact_lock(${MAKING})`, [name]);
  }

  /** Whether nobody is making it. Nobody begins to until the transaction ends. */
  async tryLock(transaction: SqlExecutor, name: string): Promise<boolean> {
    const [{ isFree }] = (await transaction.query(
      `SELECT pg_catalog.pg_try_advisory_xact_lock(${MAKING}) AS "isFree"`,
      [name],
    )) as { isFree: boolean }[];
    return isFree;
  }

  /**
   * Makes an empty database. The server's tables note it first, in a transaction of their own: until it has its comment, nothing
   * else tells that it is ours.
   *
   * @param slot of a spare
   * @throws PlaceNotPossibleError, and PostgreSQL's error when a database of that name is there, which stays as it is
   */
  async create(server: string, name: string, slot?: number): Promise<void> {
    await this.transactions.run(
      (manager) =>
        manager.query(`INSERT INTO ${this.noted} (name, slot) VALUES ($1, $2)`, [name, slot ?? null]),
      server,
    );
    const template = this.#templateOn(server);
    try {
      await this.#inSession({ server }, async (session) => {
        const locale = template === EMPTY_DATABASE ? await localeOf(session) : '';
        await session.query('SET statement_timeout = 0');
        await session.query(`${creationOf(name)} TEMPLATE ${quoteIdentifier(template)}${locale}`);
      });
    } catch (error) {
      // It is another's, which must not be taken for ours. After any other error it may be there: the note stays.
      if ((error as { code?: unknown }).code === DUPLICATE_DATABASE) await this.forget(server, name);
      throw explainCreate(error, server, template);
    }
  }

  /**
   * Whether PostgreSQL is at it now. It goes on when the client that asked for it has died, and then the database is there although
   * nobody waits for it.
   */
  async isBeingCreated(executor: SqlExecutor, name: string): Promise<boolean> {
    const found = (await executor.query(
      `SELECT FROM pg_catalog.pg_stat_activity WHERE state = 'active' AND pg_catalog.starts_with(query, $1)`,
      [`${creationOf(name)} `],
    )) as unknown[];
    return found.length > 0;
  }

  /** In the tenant's own database: only its owner, and with roles the role of requests, may enter. */
  async close(manager: EntityManager, name: string, loginRole: string | undefined): Promise<void> {
    const database = quoteIdentifier(name);
    await manager.query(`REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC`);
    if (loginRole !== undefined)
      await manager.query(`GRANT CONNECT ON DATABASE ${database} TO ${quoteIdentifier(loginRole)}`);
  }

  /** Drops it, with whoever is still in it. One that is not there is fine. */
  async drop(server: string, name: string): Promise<void> {
    await this.#inSession({ server }, async (session) => {
      await session.query('SET statement_timeout = 0');
      await session.query(`DROP DATABASE IF EXISTS ${quoteIdentifier(name)} WITH (FORCE)`);
    });
  }

  /** What `work` gives, in a session of its own in that database. */
  inside<T>(site: Site, work: (session: QueryRunner) => Promise<T>): Promise<T> {
    return this.#inSession(site, work);
  }

  /** Forgets a database that is gone, or says itself whose it is. */
  async forget(server: string, name: string): Promise<void> {
    await this.transactions.run((manager) => this.release(manager, name), server);
  }

  /** The same within a transaction. */
  async release(transaction: SqlExecutor, name: string): Promise<void> {
    await transaction.query(`DELETE FROM ${this.noted} WHERE name = $1`, [name]);
  }

  /** `work` runs for the tenant of the caller, who may have a connection of it. */
  #inSession<T>(site: Site, work: (session: QueryRunner) => Promise<T>): Promise<T> {
    const frame = this.context.frame();
    const within = (session: QueryRunner) => this.context.runInFrame(frame, () => work(session));
    return this.context.runAsSystem(() => this.sessions.run(within, { isRequired: false }), site);
  }

  #templateOn(server: string): string {
    return databaseOfServer(this.connection, server).databaseTemplate ?? EMPTY_DATABASE;
  }
}

/** SQL: how the statement begins that makes it. */
function creationOf(name: string): string {
  return `CREATE DATABASE ${quoteIdentifier(name)}`;
}

/** As the main database has it: an order of rows, or a search, must not differ by where a tenant lives. */
async function localeOf(session: SqlExecutor): Promise<string> {
  const [found] = (await session.query(
    `SELECT pg_catalog.pg_encoding_to_char(d.encoding) AS encoding, d.datcollate::text AS collate, d.datctype::text AS ctype,
            d.datlocprovider::text AS provider,
            coalesce(pg_catalog.to_jsonb(d) ->> 'datlocale', pg_catalog.to_jsonb(d) ->> 'daticulocale') AS locale,
            pg_catalog.to_jsonb(d) ->> 'daticurules' AS rules
     FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`,
  )) as Record<'encoding' | 'collate' | 'ctype' | 'provider' | 'locale' | 'rules', string | null>[];
  const given = (what: string, value: string | null) =>
    value === null ? '' : ` ${what} ${quoteLiteral(value)}`;
  const common =
    given('ENCODING', found.encoding) + given('LC_COLLATE', found.collate) + given('LC_CTYPE', found.ctype);
  if (found.provider === 'i')
    return `${common} LOCALE_PROVIDER icu${given('ICU_LOCALE', found.locale)}${given('ICU_RULES', found.rules)}`;
  if (found.provider === 'b')
    return `${common} LOCALE_PROVIDER builtin${given('BUILTIN_LOCALE', found.locale)}`;
  return `${common} LOCALE_PROVIDER libc`;
}

function explainCreate(error: unknown, server: string, template: string): unknown {
  const { code } = error as { code?: unknown };
  const refuse = (why: string) => new PlaceNotPossibleError(why, { cause: error });
  if (code === INSUFFICIENT_PRIVILEGE)
    return refuse(
      `PostgreSQL refuses to make a database on the server "${server}": ${(error as Error).message}. The role needs CREATEDB, and to ` +
        `copy "${template}" that must be its own, or a template (ALTER DATABASE ${inRemedy(template)} IS_TEMPLATE true).`,
    );
  if (code === INVALID_CATALOG_NAME)
    return refuse(`The server "${server}" has no database "${template}", which databaseTemplate names.`);
  if (code === OBJECT_IN_USE)
    return refuse(
      `The database "${template}" on the server "${server}" cannot be copied while somebody works in it. Let nobody in: ALTER ` +
        `DATABASE ${inRemedy(template)} ALLOW_CONNECTIONS false.`,
    );
  return error;
}
