import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { checkArguments } from '../common/options/check-options';
import { anything } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';
import { freezeDeeply } from '../common/freeze-deeply';
import { DEFAULT_SERVER, type Site, siteOf } from '../placement/place';
import type { Tenant } from '../registry/tenant';
import { TenantStore } from '../registry/store/tenant.store';
import { TenantRequiredError, TenantsFailedError } from './context.errors';

/**
 * For whom a piece of code runs: a tenant, one schema by name (the template), the system, or nobody yet. A request's
 * frame is made before its tenant is known, so `tenant` may be set and cleared; the other fields stay.
 */
export interface ContextFrame {
  tenant?: Tenant;
  readonly schemaName?: string;
  readonly system?: true;
  /** Of a schema, or of the system: the server it works on. Default the one that has the registry. */
  readonly server?: string;
  /** The same: the database of that server. Default the one that the server's URL leads to. */
  readonly database?: string;
  /** The system while the data source starts. */
  readonly starting?: true;
  /** The transaction that all code in this frame shares, if it does. */
  readonly transaction?: SharedTransaction;
  /** The QueryRunner of the transaction that this code alone uses. */
  readonly queryRunner?: object;
  /** Work on a tenant rather than for it, such as its migration: the timeouts of requests do not apply. */
  readonly unlimited?: true;
  /**
   * Work that makes the tenant's schema, or checks it itself. All other work is refused while the schema is missing.
   */
  readonly unborn?: true;
  /** Of a connection, which outlives what is asked over it: nothing that it read is true for its whole life. */
  lasting?: true;
  /** The outermost of the frames that this one was entered in: all of them are one piece of work. See `workOf`. */
  readonly work?: object;
}

/** A transaction of the connection layer, as much as a frame needs to know of it. */
export interface SharedTransaction {
  readonly isOpen: boolean;
}

/** The frame of one request, or of one connection. */
export type RequestFrame = Pick<ContextFrame, 'tenant' | 'lasting'>;

/** Scopes that were entered one inside another are one piece of work, which can wait for itself. */
export function workOf(frame: ContextFrame): object {
  return frame.work ?? frame;
}

/** A copy, because a request's tenant may be cleared later. It names each field, which is far cheaper than a spread. */
export function copyOf(frame: ContextFrame): ContextFrame {
  const { tenant, schemaName, system, server, database, starting, transaction, unlimited, unborn } = frame;
  return {
    tenant,
    schemaName,
    system,
    server,
    database,
    starting,
    transaction,
    unlimited,
    unborn,
    work: workOf(frame),
  };
}

/** Two frames with the same key may share a lease. `undefined`: the frame is for nobody. */
export function frameKey(frame: ContextFrame | undefined): string | undefined {
  if (!frame) return undefined;
  if (frame.tenant) return frame.tenant.id;
  const isElsewhere = frame.server !== undefined && frame.server !== DEFAULT_SERVER;
  const inDatabase = frame.database === undefined ? '' : ` in the database "${frame.database}"`;
  const at = inDatabase + (isElsewhere ? ` on the server "${frame.server}"` : '');
  if (frame.system) return `system${at}`;
  return frame.schemaName && `schema ${frame.schemaName}${at}`;
}

const STARTING: ContextFrame = Object.freeze({ system: true, starting: true });

/** For how many tenants anything is done at once: each costs memory before it begins, and a million stop the process. */
export const MAX_CONCURRENCY = 1_000;

export class EachTenantOptions {
  /** How many tenants are worked for at once: an integer from 1 to 1,000. Default 1. Keep it below the pool's size. */
  @Option(anything<number>())
  readonly concurrency?: number;
}

/** Who the current code runs for. The answer follows `await`, timers and promises, through AsyncLocalStorage. */
@Injectable()
export class TenantContext implements OnApplicationShutdown {
  readonly #storage = new AsyncLocalStorage<ContextFrame | undefined>();
  /** Tenants that were frozen already, so that each is walked only once. */
  readonly #frozen = new WeakSet<Tenant>();

  constructor(private readonly store: TenantStore) {}

  /**
   * Node has every AsyncLocalStorage look at every promise. Those of applications that have ended, such as in a suite
   * of tests, would slow down all that come after them.
   */
  onApplicationShutdown(): void {
    this.#storage.disable();
  }

  /**
   * Runs `work` for `tenant` and returns its result. Code outside of `work` is not affected.
   *
   * The tenant is deeply frozen, so that no code can change for whom `work` runs. It is not checked whether its `id`
   * and its `schemaName` belong together, so pass a tenant that came from a store or a request.
   */
  run<T>(tenant: Tenant, work: () => T): T {
    return this.#runFor(tenant, { tenant }, work);
  }

  /**
   * The same for work on a tenant rather than for it, such as its migration or a long report: `database.timeouts`,
   * `maxConnectionsPerTenant` and `maxWaitingPerTenant`, which protect tenants from each other's requests, do not hold.
   */
  runUnlimited<T>(tenant: Tenant, work: () => T): T {
    return this.#runFor(tenant, { tenant, unlimited: true }, work);
  }

  /** The same as `runUnlimited` for work that makes the tenant's schema, or looks for it itself. @internal */
  runUnborn<T>(tenant: Tenant, work: () => T): T {
    return this.#runFor(tenant, { tenant, unlimited: true, unborn: true }, work);
  }

  #runFor<T>(tenant: Tenant, frame: ContextFrame, work: () => T): T {
    if (typeof tenant?.id !== 'string' || typeof tenant.schemaName !== 'string') {
      throw new TypeError(
        'TenantContext.run() takes a Tenant, as TenantStore.find() and @CurrentTenant() give it, not its slug or id.',
      );
    }
    if (!this.#frozen.has(tenant)) this.#frozen.add(freezeDeeply(tenant));
    return this.#enter(frame, work);
  }

  /**
   * Runs `work` for no tenant and returns its result: its statements see a tenant's tables only by the schema's name.
   * `at` is where: a key of the option `servers`, or `default` for the one that has the registry, or a database of one of
   * them, such as `siteOf(tenant)`. Default: where the work of the system around it works, else `default`.
   */
  runAsSystem<T>(work: () => T, at: string | Site = this.#site): T {
    return this.#enter({ system: true, ...toSite(at) }, work);
  }

  /** The same while the data source starts, which must find no current schema at all. */
  runAsStart<T>(work: () => T): T {
    return this.#storage.run(STARTING, work);
  }

  /** Runs `work` with one schema as the whole path, as when the template is built, and returns its result. */
  runInSchema<T>(schemaName: string, work: () => T, at: string | Site = this.#site): T {
    return this.#enter({ schemaName, ...toSite(at) }, work);
  }

  /** The database that the current code works in: the tenant's, or the system's. @internal */
  site(): Site {
    const tenant = this.find();
    return tenant ? siteOf(tenant) : this.#site;
  }

  /** Where the system works now. A tenant's own place says nothing of that. */
  get #site(): Site {
    const { server = DEFAULT_SERVER, database } = this.#storage.getStore() ?? {};
    return { server, database };
  }

  #enter<T>(frame: ContextFrame, work: () => T): T {
    const outer = this.#storage.getStore();
    return this.#storage.run(outer ? { ...frame, work: workOf(outer) } : frame, work);
  }

  /** Runs `work` in a frame whose tenant may still be set or cleared, or in no frame, and returns its result. */
  runInFrame<T>(frame: ContextFrame | RequestFrame | undefined, work: () => T): T {
    return this.#storage.run(frame, work);
  }

  /** The tenant of the current code, if there is one. */
  find(): Tenant | undefined {
    return this.#storage.getStore()?.tenant;
  }

  /** @throws TenantRequiredError when there is none */
  tenant(): Tenant {
    const tenant = this.find();
    if (!tenant) throw new TenantRequiredError();
    return tenant;
  }

  /** The frame of the current code, whatever its kind. */
  frame(): ContextFrame | undefined {
    return this.#storage.getStore();
  }

  /**
   * Runs `work` once for every active tenant, in the order of creation. One tenant's failure does not keep the others
   * from their turn. It settles when all work that was begun has ended, also when the list of tenants cannot be read
   * on: then no other tenant is begun.
   *
   * @throws TenantsFailedError at the end, naming each tenant whose work failed, and why the list could not be read on
   * @throws TenancyUnavailableError, or what the store throws, when the list could not be read at all
   * @throws RangeError for a concurrency that is not an integer from 1 to 1,000
   */
  async eachTenant(work: (tenant: Tenant) => unknown, options: EachTenantOptions = {}): Promise<void> {
    const { concurrency = 1 } = checkArguments('TenantContext.eachTenant()', EachTenantOptions, options);
    if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > MAX_CONCURRENCY) {
      throw new RangeError(
        `concurrency must be an integer from 1 to ${MAX_CONCURRENCY}, got ${concurrency}.`,
      );
    }
    const failures: { tenant: Tenant; error: unknown }[] = [];
    const tenants = this.store.each({ status: 'active' });
    let visited = 0;
    const worker = async () => {
      // When a page cannot be read, one worker gets the error, and the others see the end of the list.
      for await (const tenant of tenants) {
        visited++;
        try {
          await this.run(tenant, () => work(tenant));
        } catch (error) {
          failures.push({ tenant, error });
        }
      }
    };
    const outcomes = await Promise.allSettled(Array.from({ length: concurrency }, worker));
    const broken = outcomes.find((outcome) => outcome.status === 'rejected');
    if (broken && visited === 0) throw broken.reason;
    if (broken || failures.length > 0)
      throw new TenantsFailedError(failures, { visited, listError: broken?.reason as unknown });
  }
}

function toSite(at: string | Site): Site {
  return typeof at === 'string' ? { server: at } : { server: at.server, database: at.database };
}
