import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager, QueryRunner } from 'typeorm';
import { messageOf } from '../../common/error-message';
import type { SqlExecutor } from '../../common/sql';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';
import { pathChanged, readPlace, runMigration } from './migration-run';
import type { NamedMigration } from './named-migrations';
import { OwnSessions } from '../../connection/typeorm/own-sessions';
import { MigrationBusyError, MigrationUnfinishedError, SchemaGoneError } from '../provisioning.errors';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { type MigrationOwner, UnfinishedMigrations } from './unfinished-migrations';

/**
 * One run of one migration outside of a transaction. Each entry in the ledger is written in a transaction of its own.
 */
export interface SessionTask {
  readonly owner: MigrationOwner;
  readonly migration: NamedMigration;
  readonly direction: 'up' | 'down';
  readonly lockTimeoutMs?: number;
  /** Records that it begins. Returns false when another instance has run it already. */
  begin(transaction: EntityManager): Promise<boolean>;
  /** Records that it is done. */
  complete(transaction: EntityManager): Promise<unknown>;
}

const WAIT_MS = 250;

/**
 * Runs migrations with `transaction = false`, each in a session of its own. The ledger records that one begins, because
 * a part of it may remain if it does not end. A recorded one is never run again before a person has told its outcome.
 */
@Injectable()
export class SessionMigrations {
  constructor(
    private readonly sessions: OwnSessions,
    private readonly transactions: SystemTransactions,
    private readonly unfinished: UnfinishedMigrations,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /**
   * Runs the migration, and returns whether it ran. Its session holds a lock on the owner, which ends with the session
   * in any case; with `wait` it waits for another session's lock.
   *
   * @throws MigrationUnfinishedError when an earlier attempt did not end
   * @throws MigrationBusyError when another session has the lock
   * @throws SchemaGoneError when the schema does not exist
   * @throws OwnSessionRequiredError when a pooler does not offer a session of its own
   */
  run(task: SessionTask, { wait = false } = {}): Promise<boolean> {
    const { owner, migration, lockTimeoutMs } = task;
    const server = owner.site?.server;
    return this.sessions.run(
      async (session) => {
        await requireSchema(session, owner);
        // Polls, because a session that waits for a lock would keep CREATE INDEX CONCURRENTLY from finishing.
        while (!(await this.#lock(session, owner))) {
          if (!wait) throw new MigrationBusyError(migration.name, owner.label);
          await delay(WAIT_MS);
        }
        if (!(await this.transactions.run((manager) => this.#begin(manager, task), server))) return false;
        await session.query(`SELECT pg_catalog.set_config('lock_timeout', $1, false)`, [
          `${lockTimeoutMs ?? 0}`,
        ]);
        await this.#runNoted(session, task);
        await this.transactions.run((manager) => task.complete(manager), server);
        return true;
      },
      { schemaName: owner.schemaName },
    );
  }

  /** The error for which migrations of that owner cannot continue; `undefined` when there is none. */
  async explain(executor: SqlExecutor, owner: MigrationOwner): Promise<MigrationUnfinishedError | undefined> {
    const [found] = await this.unfinished.find(executor, { tenantId: owner.id });
    if (!found) return undefined;
    const invalid = await this.#findInvalidIndexes(executor, owner);
    return new MigrationUnfinishedError(found.name, owner, found.error, invalid);
  }

  /**
   * Resolves a migration that did not end, and returns whether one was waiting for that. `settle` writes to the ledger
   * in the same transaction, during which no migration can begin.
   *
   * @throws MigrationBusyError while a session is running it
   */
  settle(
    { id, label, site }: Omit<MigrationOwner, 'schemaName'>,
    name: string,
    settle: (transaction: EntityManager) => Promise<boolean>,
  ): Promise<boolean> {
    // The lock is where the schema is, the ledger in the main database of the server.
    return this.transactions.run(async (manager) => {
      const [{ locked }] = await manager.query<{ locked: boolean }[]>(
        'SELECT pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended($1, 0)) AS locked',
        [this.#lockName(id)],
      );
      if (!locked) throw new MigrationBusyError(name, label);
      return site?.database === undefined ? settle(manager) : this.transactions.run(settle, site.server);
    }, site);
  }

  #findInvalidIndexes(executor: SqlExecutor, { schemaName, site }: MigrationOwner): Promise<string[]> {
    return site?.database === undefined
      ? findInvalidIndexes(executor, schemaName)
      : this.transactions.run((manager) => findInvalidIndexes(manager, schemaName), site);
  }

  #lockName(id: string): string {
    return `migrations of ${this.options.registrySchema} ${id}`;
  }

  async #begin(manager: EntityManager, task: SessionTask): Promise<boolean> {
    const inTheWay = await this.explain(manager, task.owner);
    if (inTheWay) throw inTheWay;
    return task.begin(manager);
  }

  async #runNoted(session: QueryRunner, { owner, migration, direction }: SessionTask): Promise<void> {
    try {
      const { path } = await readPlace(session);
      const heard = await runMigration(migration, direction, session);
      // Each statement was a transaction of its own, so transactions are not compared.
      const { path: found } = await readPlace(session);
      if (found !== path) throw pathChanged(found, heard);
    } catch (error) {
      const message = messageOf(error);
      const { query } = ((error as Error).cause ?? {}) as { query?: unknown };
      const statement = typeof query === 'string' ? query : undefined;
      const invalid = await this.transactions.run(async (manager) => {
        await this.unfinished.fail(manager, owner.id, migration.name, message, statement);
        return this.#findInvalidIndexes(manager, owner);
      }, owner.site?.server);
      throw new MigrationUnfinishedError(migration.name, owner, message, invalid, { cause: error });
    }
  }

  async #lock(session: QueryRunner, { id }: MigrationOwner): Promise<boolean> {
    const [{ locked }] = (await session.query(
      'SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended($1, 0)) AS locked',
      [this.#lockName(id)],
    )) as { locked: boolean }[];
    return locked;
  }
}

/** If the schema is gone, the search path leads to the shared schemas, where the migration must not work. */
async function requireSchema(session: QueryRunner, { label, schemaName }: MigrationOwner): Promise<void> {
  if (!(await session.hasSchema(schemaName))) throw new SchemaGoneError(label, schemaName);
}

/** Indexes that an interrupted CREATE INDEX CONCURRENTLY left behind. */
async function findInvalidIndexes(executor: SqlExecutor, schemaName: string): Promise<string[]> {
  const found = (await executor.query(
    `SELECT c.relname AS name FROM pg_catalog.pg_namespace n
     JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
     JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid AND NOT i.indisvalid
     WHERE n.nspname = $1 AND c.relkind = 'i' ORDER BY 1`,
    [schemaName],
  )) as { name: string }[];
  return found.map(({ name }) => name);
}
