import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { PoolClient } from 'pg';
import type { EntityManager, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { AmbientTransaction } from '../../connection/typeorm/ambient-transaction';
import type { TransactionDoomedError } from '../../connection/connection.errors';
import { TenantContext } from '../../context/tenant-context';
import type { Tenant } from '../../registry/tenant';
import { GivenTransaction } from './given-transaction';
import { namedHooks, type NamedHook } from './named-hooks';
import { ProvisionHookFailedError } from '../provisioning.errors';
import {
  type CopiedTenant,
  PROVISIONING_OPTIONS,
  type ProvisionHook,
  type ProvisioningOptions,
  type TenantOrigin,
} from '../provisioning.options';

/**
 * Called when a tenant is not made after all, and nothing of it is left in PostgreSQL: removes what was kept elsewhere
 * for it. It may be called when `onProvision` was not. When it fails, that is logged, and others are called.
 */
export type ProvisionFailedHook = (tenant: Tenant, origin: TenantOrigin) => unknown;

/** What a class with `@OnProvision()` implements. */
export interface TenantProvisionHook {
  onProvision: ProvisionHook;
  onProvisionFailed?: ProvisionFailedHook;
}

/**
 * Marks a provider of any module, whose method `onProvision(tenant, manager, origin, copied)` is called for each new
 * tenant, and `onProvisionFailed(tenant, origin)`, where it has that, when the tenant is not made after all.
 */
export const OnProvision = DiscoveryService.createDecorator();

/** What the application does for each new tenant. */
@Injectable()
export class ProvisionHooks implements OnModuleInit {
  readonly #logger = new Logger(ProvisionHooks.name);
  #hooks: readonly NamedHook<ProvisionHook>[] = [];
  #undoing: readonly NamedHook<ProvisionFailedHook>[] = [];

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly context: TenantContext,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** @throws InvalidHookError */
  onModuleInit(): void {
    const marked = { decorator: OnProvision, decoratorName: '@OnProvision()' };
    const { onProvision: functions } = this.options;
    this.#hooks = namedHooks(this.discovery, { ...marked, functions, method: 'onProvision' });
    this.#undoing = namedHooks<ProvisionFailedHook>(this.discovery, {
      ...{ ...marked, functions: [], method: 'onProvisionFailed' },
      isOptional: true,
    });
  }

  /**
   * Calls the hooks in turn, and `within` last, in the caller's transaction, which must be the tenant's.
   *
   * @throws ProvisionHookFailedError naming the hook that failed
   * @throws TenancyUnavailableError when the connection was lost, even if the hook has caught that error
   * @throws what `within` throws, unchanged
   */
  async run(
    tenant: Tenant,
    manager: EntityManager,
    { origin, copied }: Beginning,
    within?: ProvisionHook,
  ): Promise<void> {
    const hooks = within ? [...this.#hooks, { name: WITHIN, run: within }] : this.#hooks;
    if (hooks.length === 0) return;
    const queryRunner = manager.queryRunner as QueryRunner;
    const path = [tenant.schemaName, ...this.options.sharedSchemas].map(quoteIdentifier).join(', ');
    // A spare has another schema name than the transaction began with.
    await manager.query(`SET LOCAL search_path = ${path}, pg_temp`);
    const client = (await queryRunner.connect()) as PoolClient;
    const transaction = new AmbientTransaction(client, 'READ COMMITTED', queryRunner);
    const given = await GivenTransaction.on(client);
    try {
      for (const { name, run } of hooks) {
        const failure = await this.context
          .runInFrame({ tenant, transaction }, async () => await run(tenant, manager, origin, copied))
          .then(() => undefined, asFailure);
        await this.#requireSound(name, origin, failure, transaction, given);
      }
    } finally {
      transaction.end();
    }
  }

  /** Removes what hooks have kept elsewhere for a tenant that is not made after all. Never rejects. */
  async undo(tenant: Tenant, origin: TenantOrigin): Promise<void> {
    for (const { name, run } of this.#undoing) {
      try {
        await run(tenant, origin);
      } catch (error) {
        this.#logger.error(
          `The creation of "${tenant.slug}" failed, and "${name}" could not remove what it may have kept for the schema ` +
            `${tenant.schemaName}, which no tenant has.`,
          error,
        );
      }
    }
  }

  /** Waits for all that the hook has started. Throws when it failed, or when only a part of its work would be committed. */
  async #requireSound(
    hook: string,
    origin: TenantOrigin,
    failure: Failure | undefined,
    transaction: AmbientTransaction,
    given: GivenTransaction,
  ): Promise<void> {
    const isQuiet = await transaction.settle();
    const cause = failure ?? doomOf(transaction);
    // A stream that is still open would block the question.
    const fate = isQuiet ? await given.fate() : 'open';
    if (fate !== 'ended') {
      if (!cause) return;
      throw failure && hook === WITHIN
        ? failure.error
        : new ProvisionHookFailedError(hook, origin, cause.error);
    }
    const ended = new ProvisionHookFailedError(hook, origin, failure?.error, { hasEnded: true });
    if (!failure || hook !== WITHIN) throw ended;
    // The caller gets its own error, which does not say what was committed. The log does.
    this.#logger.error(ended.message);
    throw failure.error;
  }
}

/** How a tenant came to be, and of what it is a copy. */
interface Beginning {
  readonly origin: TenantOrigin;
  readonly copied?: CopiedTenant;
}

/** The name of the caller's own function in errors. */
const WITHIN = 'within';

/** In a box, because what was thrown may be `undefined`. */
interface Failure {
  readonly error: unknown;
}

function asFailure(error: unknown): Failure {
  return { error };
}

function doomOf(transaction: AmbientTransaction): Failure | undefined {
  try {
    transaction.requireSound();
    return undefined;
  } catch (error) {
    return { error: explain(error as TransactionDoomedError) };
  }
}

function explain(error: TransactionDoomedError): Error {
  const { by, cause } = error;
  if (by === 'rollback') return new Error('it rolled a part of the transaction back', { cause });
  if (by === 'failure') return new Error('one of its statements failed, and it went on', { cause });
  return error;
}
