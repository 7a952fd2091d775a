import { Pool } from 'pg';
import type { ConnectCallback } from './checkout';
import type { TenantPool } from './tenant-pool';

/** What TypeORM takes for its one replica. It has no connections itself: a read goes where its tenant's server has them. */
export class ReadPool extends Pool {
  constructor(private readonly tenants: TenantPool) {
    super();
  }

  override connect(): Promise<never>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<never> | void {
    if (!callback) throw new TypeError('A ReadPool is only connected to by TypeORM, with a callback.');
    this.tenants.connectToRead(callback);
  }
}
