import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { PoolClient } from 'pg';
import type { EntityManager, QueryRunner } from 'typeorm';
import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { AmbientTransaction } from '../../connection/typeorm/ambient-transaction';
import type { TransactionDoomedError } from '../../connection/connection.errors';
import { TenantContext } from '../../context/tenant-context';
import type { Tenant } from '../../registry/tenant';
import { namedHooks, type NamedHook } from './named-hooks';
import { ProvisionHookFailedError } from '../provisioning.errors';
import {
  PROVISIONING_OPTIONS,
  type ProvisionHook,
  type ProvisioningOptions,
  type TenantOrigin,
} from '../provisioning.options';

/** What a class with `@OnProvision()` implements. */
export interface TenantProvisionHook {
  onProvision: ProvisionHook;
}

/**
 * Marks a provider of any module, whose method `onProvision(tenant, manager, origin)` is called for each new tenant.
 */
export const OnProvision = DiscoveryService.createDecorator();

/** What the application does for each new tenant. */
@Injectable()
export class ProvisionHooks implements OnModuleInit {
  #hooks: readonly NamedHook<ProvisionHook>[] = [];

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly context: TenantContext,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** @throws InvalidHookError */
  onModuleInit(): void {
    this.#hooks = namedHooks(this.discovery, {
      functions: this.options.onProvision,
      decorator: OnProvision,
      decoratorName: '@OnProvision()',
      method: 'onProvision',
    });
  }

  /**
   * Calls them one after the other, and at last `within`, in the caller's transaction, which was opened for the tenant.
   *
   * @throws ProvisionHookFailedError naming the one that failed; what `within` throws as it is
   */
  async run(
    tenant: Tenant,
    manager: EntityManager,
    origin: TenantOrigin,
    within?: ProvisionHook,
  ): Promise<void> {
    const named = this.#hooks.map(({ name, run }) => ({ name, run: failingAs(name, run) }));
    const hooks = within ? [...named, { name: 'within', run: within }] : named;
    if (hooks.length === 0) return;
    const queryRunner = manager.queryRunner as QueryRunner;
    const path = [tenant.schemaName, ...this.options.sharedSchemas].map(quoteIdentifier).join(', ');
    // A spare has another schema name than the transaction began with.
    await manager.query(`SET LOCAL search_path = ${path}, pg_temp`);
    const transaction = new AmbientTransaction(
      (await queryRunner.connect()) as PoolClient,
      'READ COMMITTED',
      queryRunner,
    );
    const id = await transactionId(manager);
    try {
      for (const hook of hooks) {
        await this.context.runInFrame({ tenant, transaction }, () => hook.run(tenant, manager, origin));
        await this.#requireTransaction(hook, origin, manager, transaction, id);
      }
    } finally {
      transaction.end();
    }
  }

  /** Waits for all that the hook has started, and fails when only a part of it would be committed. */
  async #requireTransaction(
    { name }: NamedHook<ProvisionHook>,
    origin: TenantOrigin,
    manager: EntityManager,
    transaction: AmbientTransaction,
    id: string,
  ): Promise<void> {
    await transaction.settle();
    try {
      transaction.requireSound();
    } catch (error) {
      throw new ProvisionHookFailedError(name, origin, explain(error as TransactionDoomedError));
    }
    if ((await transactionId(manager)) !== id) throw new ProvisionHookFailedError(name, origin, explainEnd());
  }
}

function explain(error: TransactionDoomedError): Error {
  const { by, cause } = error;
  if (by === 'rollback') return new Error('it rolled a part of the transaction back', { cause });
  if (by === 'failure') return new Error('a statement of it failed, and it went on', { cause });
  return by === 'end' ? explainEnd() : error;
}

function explainEnd(): Error {
  return new Error('it ended the transaction that it was given');
}

function failingAs(name: string, run: ProvisionHook): ProvisionHook {
  return async (tenant, manager, origin) => {
    try {
      await run(tenant, manager, origin);
    } catch (error) {
      throw new ProvisionHookFailedError(name, origin, error);
    }
  };
}

async function transactionId(executor: SqlExecutor): Promise<string> {
  const [row] = (await executor.query('SELECT pg_catalog.txid_current() AS id')) as { id: string }[];
  return row.id;
}
