import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { isKeyOf, parseKey } from '../access/key-text';
import type { TenancyError } from '../common/tenancy.errors';
import { isUuid } from '../registry/claim';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { inRegistry } from '../registry/store/registry-transaction';
import { TenantNotFoundError } from '../registry/tenant.errors';
import { MemberRows } from './member-rows';

/** What a secret was made for. */
export interface Keyed<Row> {
  readonly row: Row;
  readonly digest: Buffer;
}

/** Where it is looked for, and what is thrown when it is not there. */
interface KeyedRows<Row> {
  readonly find: (manager: EntityManager, id: string) => Promise<Keyed<Row> | undefined>;
  readonly Refusal: new () => TenancyError;
}

/**
 * One change at a time of a tenant's members, and of all that makes members or depends on them: what is counted in it
 * cannot be changed by another.
 */
@Injectable()
export class MembersLock {
  constructor(
    @InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource,
    private readonly members: MemberRows,
  ) {}

  /**
   * Runs `work` in a transaction that holds the lock: in that of `manager`, if it is given.
   *
   * @throws TenantNotFoundError for a purged tenant
   */
  async hold<T>(
    tenantId: string,
    work: (manager: EntityManager) => Promise<T>,
    manager?: EntityManager,
  ): Promise<T> {
    const locked = async (transaction: EntityManager) => {
      if (!isUuid(tenantId) || !(await this.members.lock(transaction, tenantId)))
        throw new TenantNotFoundError();
      return work(transaction);
    };
    return manager ? locked(manager) : inRegistry(this.registry, locked);
  }

  /**
   * Runs `work` in a transaction that holds the lock of the tenant that a secret is for.
   *
   * @throws Refusal when the secret is for nothing, or no longer when it was this one's turn
   */
  async holdBy<Row extends { readonly tenantId: string }, T>(
    secret: string,
    { find, Refusal }: KeyedRows<Row>,
    work: (row: Row, manager: EntityManager) => Promise<T>,
  ): Promise<T> {
    const key = typeof secret === 'string' ? parseKey(secret) : undefined;
    if (!key) throw new Refusal();
    return inRegistry(this.registry, async (manager) => {
      const found = await find(manager, key.id);
      const isRight = isKeyOf(found?.digest, key);
      if (!found || !isRight) throw new Refusal();
      const isThere = await this.members.lock(manager, found.row.tenantId);
      // What another has changed since is seen now.
      const now = isThere ? await find(manager, key.id) : undefined;
      if (!now || !isKeyOf(now.digest, key)) throw new Refusal();
      return work(now.row, manager);
    });
  }
}
