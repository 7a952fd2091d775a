import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { ADMIN_DATA_SOURCE } from './tenant-data-source';
import { TenantContext } from '../../context/tenant-context';

/** Transactions that run for no tenant: what they touch, they name in full. */
@Injectable()
export class SystemTransactions {
  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
  ) {}

  /** What `work` gives: committed when it resolves, rolled back when it rejects. */
  run<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    // Explicitly READ COMMITTED: under a stricter default, who waited for a lock would not see what it was held for.
    return this.context.runAsSystem(() => this.dataSource.transaction('READ COMMITTED', work));
  }
}
