import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { PoolClient } from 'pg';
import { workOf } from '../context/scope';
import { TenantContext } from '../context/tenant-context';
import { AmbientTransaction } from './ambient-transaction';
import { TransactionDoomedError } from './connection.errors';
import type { IsolationLevel } from './tenant-connection';
import { TENANT_DATA_SOURCE } from './tenant-data-source';

export interface TenantTransactionOptions {
  /** Default: that of the data source, else PostgreSQL's, READ COMMITTED. */
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
   * Await all that `work` starts: what runs on after its end gets connections of its own.
   *
   * @throws TenantRequiredError
   * @throws TransactionDoomedError when `work` resolves though a part of it was rolled back
   */
  async run<T>(work: () => Promise<T>, { isolation }: TenantTransactionOptions = {}): Promise<T> {
    const scope = this.context.scope();
    if (scope?.transaction?.isOpen) return work();
    const queryRunner = this.dataSource.createQueryRunner();
    try {
      await queryRunner.startTransaction(isolation);
      const client = (await queryRunner.connect()) as PoolClient;
      const ambient = new AmbientTransaction(client, isolation ?? this.#defaultIsolation());
      const result = await this.#settle(ambient, () =>
        this.context.runScope({ ...scope, work: scope && workOf(scope), transaction: ambient }, work),
      );
      await queryRunner.commitTransaction();
      return result;
    } catch (error) {
      if (queryRunner.isTransactionActive) await queryRunner.rollbackTransaction().catch(() => undefined);
      throw error;
    } finally {
      await queryRunner.release();
    }
  }

  async #settle<T>(ambient: AmbientTransaction, work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      if (await ambient.isDoomed()) throw new TransactionDoomedError();
      return result;
    } finally {
      ambient.end();
    }
  }

  #defaultIsolation(): string {
    const { options } = this.dataSource;
    return ('isolationLevel' in options && options.isolationLevel) || 'READ COMMITTED';
  }
}
