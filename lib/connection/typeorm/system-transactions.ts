import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { ADMIN_DATA_SOURCE } from './tenant-data-source';
import { TenantContext } from '../../context/tenant-context';
import { DEFAULT_SERVER, type Site } from '../../placement/place';

/** Transactions that run for no tenant: what they touch, they name in full. */
@Injectable()
export class SystemTransactions {
  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
  ) {}

  /**
   * What `work` gives: committed when it resolves, rolled back when it rejects. `at` is where it works, a server or one of
   * its databases. Default: where the work of the system around it works, see `TenantContext.runAsSystem()`.
   */
  run<T>(work: (manager: EntityManager) => Promise<T>, at?: string | Site): Promise<T> {
    // Explicitly READ COMMITTED: under a stricter default, who waited for a lock would not see what it was held for.
    return this.context.runAsSystem(() => this.dataSource.transaction('READ COMMITTED', work), at);
  }

  /** The same where the registry is, whatever server the work around it is on. */
  inRegistry<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.run(work, DEFAULT_SERVER);
  }
}
