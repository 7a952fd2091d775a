import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import {
  DataSource,
  type EntityManager,
  type EntityTarget,
  type ObjectLiteral,
  type QueryRunner,
  type Repository,
  type SelectQueryBuilder,
} from 'typeorm';
import type { SqlExecutor } from '../../common/sql';
import { TenantRequiredError } from '../../context/context.errors';
import { copyOf, type ContextFrame, frameKey, workOf, TenantContext } from '../../context/tenant-context';
import { AmbientTransaction } from './ambient-transaction';
import { CommitHooks, runHook } from './commit-hooks';
import { TENANT_DATA_SOURCE } from './tenant-data-source';

export type IsolationLevel = 'READ UNCOMMITTED' | 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE';

/**
 * The current tenant's database: TypeORM's own objects, whose every statement runs for the tenant of the code that
 * sends it. Stateless, so one instance serves everybody.
 *
 * Each method rejects with `TenantRequiredError` when the calling code runs for nobody.
 */
@Injectable()
export class TenantConnection {
  constructor(
    @InjectDataSource(TENANT_DATA_SOURCE) readonly dataSource: DataSource,
    private readonly context: TenantContext,
  ) {}

  get manager(): EntityManager {
    return this.dataSource.manager;
  }

  getRepository<Entity extends ObjectLiteral>(target: EntityTarget<Entity>): Repository<Entity> {
    return this.dataSource.getRepository(target);
  }

  createQueryBuilder<Entity extends ObjectLiteral>(
    target: EntityTarget<Entity>,
    alias: string,
  ): SelectQueryBuilder<Entity> {
    return this.dataSource.createQueryBuilder(target, alias);
  }

  /** Rows of one statement. Name tables without their schema. */
  query<Rows = unknown[]>(sql: string, parameters?: unknown[]): Promise<Rows> {
    return this.dataSource.query<Rows>(sql, parameters);
  }

  /** What `work` gives, in one transaction: committed when it resolves, rolled back when it rejects. */
  transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T>;
  transaction<T>(isolation: IsolationLevel, work: (manager: EntityManager) => Promise<T>): Promise<T>;
  transaction<T>(
    first: IsolationLevel | ((manager: EntityManager) => Promise<T>),
    second?: (manager: EntityManager) => Promise<T>,
  ): Promise<T> {
    const work = typeof first === 'function' ? first : (second as (manager: EntityManager) => Promise<T>);
    const run = (manager: EntityManager) => this.#within(manager, () => work(manager));
    return typeof first === 'function'
      ? this.dataSource.transaction(run)
      : this.dataSource.transaction(first, run);
  }

  /**
   * Does `work` for the tenant when the transaction that the calling code runs in has been committed and its connection given
   * back, and never when it, or the savepoint around the call, was rolled back. Outside of a transaction it is done at once.
   *
   * What ends the transaction waits for it: the answer of a handler, `connection.transaction()`. Its error is logged, and
   * undoes nothing. A process that dies in between has not done it: what must not be lost belongs into a table.
   *
   * @param manager of a transaction that TypeORM was asked for, `dataSource.transaction(...)` or a QueryRunner: of such ones
   * the code around the call cannot be told. Not needed with `connection.transaction()`, TenantTransactions, `@TenantTransaction()`.
   * @throws TenantRequiredError
   */
  afterCommit(work: () => unknown, manager?: EntityManager): void {
    const frame = this.context.frame();
    if (frameKey(frame) === undefined) throw new TenantRequiredError();
    const after: ContextFrame = { ...copyOf(frame as ContextFrame), transaction: undefined, work: undefined };
    const hook = () => this.context.runInFrame(after, work);
    const queryRunner = openTransaction(frame as ContextFrame, manager);
    if (queryRunner) CommitHooks.of(queryRunner).add(hook);
    else void runHook(hook);
  }

  /**
   * What sends statements in the tenant's transaction that the calling code runs in. `undefined`: it runs in none, or `manager`
   * is of another data source.
   *
   * @param manager see `afterCommit`
   * @throws TenantRequiredError
   * @internal
   */
  inTransaction(manager?: EntityManager): SqlExecutor | undefined {
    const frame = this.context.frame();
    if (!frame?.tenant) throw new TenantRequiredError();
    if (manager && manager.connection !== this.dataSource) return undefined;
    const { transaction } = frame;
    // Its repositories join it, and so does the data source.
    if (transaction?.isOpen && transaction instanceof AmbientTransaction) return this.dataSource;
    return openTransaction(frame, manager);
  }

  #within<T>(manager: EntityManager, work: () => Promise<T>): Promise<T> {
    const frame = this.context.frame();
    if (!frame) return work();
    return this.context.runInFrame({ ...frame, work: workOf(frame), queryRunner: manager.queryRunner }, work);
  }
}

/** The QueryRunner that will send COMMIT for the calling code. */
function openTransaction(frame: ContextFrame, manager: EntityManager | undefined): QueryRunner | undefined {
  const { transaction } = frame;
  if (transaction?.isOpen && transaction instanceof AmbientTransaction) return transaction.queryRunner;
  const candidates = [manager?.queryRunner, frame.queryRunner as QueryRunner | undefined];
  return candidates.find((each) => each?.isTransactionActive && !each.isReleased);
}
