import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { PoolClient } from 'pg';
import { checkArguments } from '../../common/options/check-options';
import { isPlainObject, oneOf } from '../../common/options/kinds';
import { Option } from '../../common/options/option.decorator';
import { workOf, TenantContext } from '../../context/tenant-context';
import { AmbientTransaction } from './ambient-transaction';
import type { IsolationLevel } from './tenant-connection';
import { TENANT_DATA_SOURCE } from './tenant-data-source';

export class TenantTransactionOptions {
  /** Default: that of the data source, else PostgreSQL's, READ COMMITTED. */
  @Option(oneOf<IsolationLevel>('READ UNCOMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'))
  readonly isolation?: IsolationLevel;
}

/** Transactions that need not be handed on: every repository joins the one that is open around it. */
@Injectable()
export class TenantTransactions {
  constructor(
    @InjectDataSource(TENANT_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
  ) {}

  /**
   * What `work` gives, in one transaction that all statements of the current tenant in it share, whoever sends them:
   * committed when it resolves, rolled back when it rejects. Inside another `run` for the same tenant it joins that one.
   *
   * Await all that `work` starts. Statements that are under way when it ends are waited for. What has not ended then
   * (an inner transaction, a stream), or is asked before COMMIT is sent, is refused, and nothing is kept; what is asked
   * after the end gets connections of its own.
   *
   * @throws TenantRequiredError
   * @throws TransactionDoomedError when `work` resolves though a part of it failed, or has not ended
   * @throws CommitOutcomeUnknownError when the connection was lost while COMMIT was under way
   */
  async run<T>(work: () => Promise<T>, options?: TenantTransactionOptions): Promise<T> {
    // Each request of a route with `@TenantTransaction()` comes by.
    const areNone = options === undefined || (isPlainObject(options) && Object.keys(options).length === 0);
    const { isolation } = areNone
      ? {}
      : checkArguments('TenantTransactions.run()', TenantTransactionOptions, options);
    const frame = this.context.frame();
    const outer = frame?.transaction;
    if (outer?.isOpen && outer instanceof AmbientTransaction) return outer.runPart(work);
    const queryRunner = this.dataSource.createQueryRunner();
    let ambient: AmbientTransaction | undefined;
    try {
      await queryRunner.startTransaction(isolation);
      const client = (await queryRunner.connect()) as PoolClient;
      const transaction = (ambient = new AmbientTransaction(
        client,
        isolation ?? this.#defaultIsolation(),
        queryRunner,
      ));
      const result = await this.context.runInFrame(
        { ...frame, work: frame && workOf(frame), transaction },
        work,
      );
      // A statement that nobody awaited takes some ticks until it has reached the connection.
      await nextTurn();
      transaction.close();
      await transaction.settle();
      transaction.requireSound();
      await queryRunner.commitTransaction();
      return result;
    } catch (error) {
      ambient?.abandon(error);
      // What is still open could keep ROLLBACK waiting for ever: a connection that is released like this is destroyed.
      const isQuiet = (await ambient?.settle()) ?? true;
      if (isQuiet && queryRunner.isTransactionActive)
        await queryRunner.rollbackTransaction().catch(() => undefined);
      throw error;
    } finally {
      ambient?.end();
      await queryRunner.release();
    }
  }

  #defaultIsolation(): string {
    const { options } = this.dataSource;
    return ('isolationLevel' in options && options.isolationLevel) || 'READ COMMITTED';
  }
}
