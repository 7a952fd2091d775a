import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
  Optional,
} from '@nestjs/common';
import { backgroundClock, CLOCK, type Clock } from '../../common/clock';
import { messageWithCause } from '../../common/error-message';
import { SharedRuns } from '../../common/shared-runs';
import { quoteIdentifier } from '../../common/sql';
import { isTenancyCli } from '../../common/tenancy-cli';
import { NoAnswerError } from '../../common/within';
import { Servers } from '../../connection/servers/servers';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';
import { isBesideRegistry, type Site, siteOf } from '../../placement/place';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../../provisioning/provisioning.options';
import { OnTransition } from '../../provisioning/hooks/transition-hooks';
import type { TenantStep } from '../../provisioning/provisioning.options';
import { TenantRoles } from '../../provisioning/roles/tenant-roles';
import { EventSealer, type EventSource, type FetchedEvent } from '../../registry/events/event-sealer';
import { eventOutbox } from '../../registry/events/event-tables';
import { TenantStore } from '../../registry/store/tenant.store';
import type { Tenant } from '../../registry/tenant';
import { roleOfSchema } from '../../registry/tenant-role';

/** What is taken from a database at once. */
const BATCH_ROWS = 200;

/** How long who reads waits for what is recorded elsewhere. What comes later is in a later answer. */
const MAX_WAIT_MS = 2_000;

/** How often all databases are visited for what an instance that was killed has left. */
const ROUND_MS = 300_000;

/** A database in which events may wait. */
interface Visited {
  readonly visits: SharedRuns<void>;
  /** It has all that it takes to record. */
  isPrepared: boolean;
  /** It could not be reached the last time, which is told once. */
  isAway: boolean;
  /** It was waited for too long, and its visit has not ended since. */
  isLate: boolean;
}

/** Fetches what was recorded in the databases of other servers, and in databases of tenants' own. */
@Injectable()
@OnTransition()
export class EventCollector implements EventSource, OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  readonly #logger = new Logger('Tenancy');
  readonly #outbox: string;
  /** Databases of tenants' own in which something was recorded. */
  readonly #expected = new Map<string, Site>();
  /** By the names of the databases. */
  readonly #visited = new Map<string, Visited>();
  #round: Promise<void> | undefined;
  #callOff: (() => void) | undefined;
  #isClosing = false;

  constructor(
    private readonly sealer: EventSealer,
    private readonly transactions: SystemTransactions,
    private readonly servers: Servers,
    private readonly store: TenantStore,
    private readonly roles: TenantRoles,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
    @Optional() @Inject(CLOCK) private readonly clock: Clock = backgroundClock,
  ) {
    this.#outbox = `${quoteIdentifier(options.registrySchema)}.tenant_event_outbox`;
  }

  onModuleInit(): void {
    this.sealer.addSource(this);
    this.sealer.roleElsewhere = async (value) => {
      const tenant = await this.store.find({ by: 'id', value });
      return tenant && roleOfSchema(tenant.schemaName);
    };
  }

  /** A command reads what it asks for, and visits no fleet beside. */
  onApplicationBootstrap(): void {
    if (!isTenancyCli()) this.#next(0);
  }

  async onModuleDestroy(): Promise<void> {
    this.#isClosing = true;
    this.#callOff?.();
    await this.#round;
    await this.#inTime(Promise.all([...this.#visited.values()].map(({ visits }) => visits.ended())));
  }

  /** Something was recorded where the tenant is. */
  expect(tenant: Tenant): void {
    const site = siteOf(tenant);
    if (site.database !== undefined) this.#expected.set(nameOf(site), site);
  }

  /** Never rejects, and takes two seconds at most: a server that is away or hangs delays its own tenants alone. */
  async fetch(tenantId?: string | null): Promise<void> {
    if (tenantId === null) return;
    if (tenantId !== undefined) return void (await this.#inTime(this.#fetchOf(tenantId)));
    const sites = [...this.servers.further.map((server) => ({ server })), ...this.#expected.values()];
    await Promise.all(sites.map((site) => this.#visitInTime(site)));
  }

  async #fetchOf(tenantId: string): Promise<void> {
    try {
      const tenant = await this.store.find({ by: 'id', value: tenantId });
      if (tenant) await this.#visitWhereItIs(tenant);
    } catch (error) {
      this.#warn(`the database of the tenant ${tenantId}`, error);
    }
  }

  /** A purge drops the database, with what waits in it. */
  async onTransition(tenant: Tenant, step: TenantStep): Promise<void> {
    if (step === 'purge') await this.#visitWhereItIs(tenant);
  }

  async #visitWhereItIs(tenant: Tenant): Promise<void> {
    if (!isBesideRegistry(tenant)) await this.#visitedAt(siteOf(tenant)).visits.next();
  }

  /** Visits every database, and makes what is missing in those that were made by an earlier version. */
  async visitAll(): Promise<void> {
    await this.fetch();
    for await (const tenant of this.store.each({ isolation: 'database' })) {
      if (this.#isClosing) return;
      await this.#visitInTime(siteOf(tenant));
    }
  }

  #next(pauseMs: number): void {
    this.#callOff = this.clock.after(pauseMs, () => {
      this.#round = this.visitAll()
        .catch((error: unknown) => this.#warn('all databases', error))
        .then(() => {
          if (!this.#isClosing) this.#next(ROUND_MS);
        });
    });
  }

  /** A visit that has taken too long goes on beside, and nobody waits for it again. */
  async #visitInTime(site: Site): Promise<void> {
    const visited = this.#visitedAt(site);
    const visit = visited.visits.next();
    if (visited.isLate || (await this.#inTime(visit)) || visited.isLate) return;
    visited.isLate = true;
    this.#warn(nameOf(site), new NoAnswerError(MAX_WAIT_MS));
  }

  /** Whether the work has ended in time. */
  async #inTime(work: Promise<unknown>): Promise<boolean> {
    let callOff: (() => void) | undefined;
    const late = new Promise<boolean>((resolve) => {
      callOff = this.clock.after(MAX_WAIT_MS, () => resolve(false));
    });
    return Promise.race([work.then(() => true), late]).finally(callOff);
  }

  #visitedAt(site: Site): Visited {
    const known = this.#visited.get(nameOf(site));
    if (known) return known;
    const visited: Visited = {
      visits: new SharedRuns(() => this.#tryVisit(site, visited)),
      ...{ isPrepared: false, isAway: false, isLate: false },
    };
    this.#visited.set(nameOf(site), visited);
    return visited;
  }

  async #tryVisit(site: Site, visited: Visited): Promise<void> {
    const name = nameOf(site);
    try {
      this.#expected.delete(name);
      if (!visited.isPrepared) await this.#prepare(site);
      visited.isPrepared = true;
      await this.#visit(site);
      visited.isAway = false;
    } catch (error) {
      if (site.database !== undefined) this.#expected.set(name, site);
      if (!visited.isAway) this.#warn(name, error);
      visited.isAway = true;
    }
    visited.isLate = false;
  }

  /** Takes all that waits there now. */
  async #visit(site: Site): Promise<void> {
    for (;;) {
      const waiting = await this.transactions.run(
        (manager) =>
          manager.query<FetchedEvent[]>(
            `SELECT n, id, tenant_id, type, actor_type, actor_id, subject, data::text AS data, occurred_at, role_name
             FROM ${this.#outbox} ORDER BY n LIMIT ${BATCH_ROWS}`,
          ),
        site,
      );
      if (waiting.length === 0) return;
      await this.sealer.take(waiting);
      await this.transactions.run(
        (manager) =>
          manager.query(`DELETE FROM ${this.#outbox} WHERE n = ANY ($1::bigint[])`, [
            waiting.map(({ n }) => n),
          ]),
        site,
      );
      if (waiting.length < BATCH_ROWS) return;
    }
  }

  async #prepare(site: Site): Promise<void> {
    await this.transactions.run(async (manager) => {
      if (site.database !== undefined)
        await manager.query(eventOutbox(quoteIdentifier(this.options.registrySchema)));
      await this.roles.openEventDoor(manager);
    }, site);
  }

  #warn(name: string, error: unknown): void {
    this.#logger.warn(
      `Events that were recorded in ${name} cannot be fetched, and are kept there until they can: ${messageWithCause(error)}`,
    );
  }
}

function nameOf({ server, database }: Site): string {
  return database === undefined
    ? `the server "${server}"`
    : `the database "${database}" of the server "${server}"`;
}
