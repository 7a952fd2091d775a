import { Inject, Injectable, Optional } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { LRUCache } from 'lru-cache';
import { DataSource } from 'typeorm';
import { CLOCK, type Clock, systemClock } from '../../common/clock';
import { orUnavailable } from '../../common/outage';
import { quoteIdentifier } from '../../common/sql';
import { isSamePlace, type Isolation, type Place, placeOf } from '../../placement/place';
import { TenantMovingError } from '../../placement/placement.errors';
import { TenantChangeFeed } from '../changes/tenant-changes';
import { LOOKUPS_DATA_SOURCE } from '../registry';
import { REGISTRY_OPTIONS, type RegistryModuleOptions } from '../registry.options';
import { TenantStore } from '../store/tenant.store';
import { TypeOrmTenantStore } from '../store/typeorm-tenant.store';
import type { Tenant } from '../tenant';
import { MAX_UNPROVEN_MS, type RegistryLookup, RegistryLookups } from './registry-lookup';
import { TenantLookup } from './tenant-lookup';

/** What the registry says of a tenant's place. */
interface Known {
  readonly id: string;
  readonly place: Place;
  /** Whether a move has stopped all work of the tenant, until its place has changed or the move has failed. */
  readonly isHeld: boolean;
}

/** What is known of a tenant since the feed told that its place changes, and when it was asked for. */
interface Told {
  readonly known?: Known;
  readonly askedAt: number;
  /** The feed has told more since then. */
  readonly isStale?: boolean;
}

/** A registry that hangs would delay each statement. Then the last place that is known counts. */
const MAX_WAIT_MS = 300;

/** After a look-up that has failed, none is made for so long. */
const PAUSE_MS = 1_000;

/** While nothing is heard of a move, it is asked for in this interval. */
const POLL_MS = 250;

/** Enough for all moves of months. What is forgotten costs one refused statement, see `TenantMovedError`. */
const MAX_TOLD = 10_000;

/**
 * The newest known place of a tenant. Code may hold a `Tenant` for hours, in which it moves. While the change feed
 * works and has told of no move, its place is the one that the object says, and nothing is asked.
 *
 * What is known here decides only how smooth a move is: PostgreSQL refuses what is sent to the wrong place.
 */
@Injectable()
export class PlaceLookup {
  readonly #answers: RegistryLookup<string, Known>;
  readonly #canMove: boolean;
  readonly #told = new LRUCache<string, Told>({ max: MAX_TOLD });
  /** When each object was first seen. */
  readonly #seenAt = new WeakMap<Tenant, number>();
  readonly #waiting = new Map<string, Set<() => void>>();
  /** What was seen before the feed began may have moved without a word. */
  #feedBeganAt = -Infinity;
  #pausedUntil = -Infinity;

  constructor(
    store: TenantStore,
    @Inject(REGISTRY_OPTIONS) private readonly options: Pick<RegistryModuleOptions, 'schema'>,
    @InjectDataSource(LOOKUPS_DATA_SOURCE) private readonly lookups: DataSource,
    caches: RegistryLookups,
    private readonly feed: TenantChangeFeed,
    private readonly tenants: TenantLookup,
    @Optional() @Inject(CLOCK) private readonly clock: Clock = systemClock,
  ) {
    // Another store does not tell when a tenant's place changes, and no move begins there.
    this.#canMove = store instanceof TypeOrmTenantStore;
    this.#answers = caches.make<string, Known>({
      askAll: (ids) => askFor(lookups, options.schema, ids),
      tenantIdOf: ({ id }) => id,
      cache: {},
    });
    feed.subscribe({
      moved: (id) => this.#note(id),
      changed: (id) => id === undefined && this.#beginAnew(),
      begun: () => {
        this.#beginAnew();
        void this.#noteOpenMoves();
      },
    });
  }

  /** Where a tenant lives. `undefined` when that must be asked for, or waited for: see `settle`. */
  current(tenant: Tenant): Place | undefined {
    if (!this.#canMove) return placeOf(tenant);
    const now = this.clock.now();
    const isVouched = now - this.feed.provenAt <= MAX_UNPROVEN_MS;
    const told = this.#told.size === 0 ? undefined : this.#told.get(tenant.id);
    if (told) {
      const { known, askedAt, isStale } = told;
      const isFresh = known && !isStale && !known.isHeld && (isVouched || now - askedAt <= MAX_UNPROVEN_MS);
      return isFresh ? known.place : undefined;
    }
    let seenAt = this.#seenAt.get(tenant);
    if (seenAt === undefined) this.#seenAt.set(tenant, (seenAt = now));
    const isFresh = seenAt >= this.#feedBeganAt && (isVouched || now - seenAt <= MAX_UNPROVEN_MS);
    return isFresh ? placeOf(tenant) : undefined;
  }

  /**
   * Where a tenant lives, once that is known and its work is not held. While the registry cannot be asked: where it lived last.
   *
   * @throws TenantMovingError after `waitMs`
   */
  async settle(tenant: Tenant, waitMs: number): Promise<Place> {
    const deadline = this.clock.now() + waitMs;
    for (;;) {
      const known = (await this.#ask(tenant)) ?? this.#told.get(tenant.id)?.known;
      if (!known?.isHeld) return known?.place ?? placeOf(tenant);
      const leftMs = deadline - this.clock.now();
      if (leftMs <= 0) throw new TenantMovingError();
      await this.#news(tenant.id, Math.min(leftMs, POLL_MS));
    }
  }

  /** Whether a tenant does not live in that place any more, or is about to leave it. Then its look-ups are forgotten. */
  async hasLeft(tenant: Tenant, place: Place): Promise<boolean> {
    if (!this.#canMove) return false;
    this.#answers.forget(tenant.id);
    const known = await this.#ask(tenant);
    if (!known || (isSamePlace(known.place, place) && !known.isHeld)) return false;
    this.#told.set(tenant.id, { known, askedAt: this.clock.now() });
    this.tenants.forget(tenant);
    return true;
  }

  /** The registry's answer; `undefined` when there is none in time. */
  async #ask(tenant: Tenant): Promise<Known | undefined> {
    const askedAt = this.clock.now();
    if (askedAt < this.#pausedUntil) return undefined;
    const before = this.#told.get(tenant.id);
    try {
      const known = await this.#inTime(this.#answers.find(tenant.id, tenant.id));
      // Something was told meanwhile: the next look-up says what.
      if (this.#told.get(tenant.id) === before && known)
        if (before || known.isHeld || !isSamePlace(known.place, placeOf(tenant)))
          this.#told.set(tenant.id, { known, askedAt });
        else this.#seenAt.set(tenant, askedAt);
      return known;
    } catch {
      this.#pausedUntil = this.clock.now() + PAUSE_MS;
      return undefined;
    }
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const callOff = this.clock.after(MAX_WAIT_MS, () =>
        reject(new Error('The registry was silent for too long.')),
      );
      void answer.then(resolve, reject).finally(callOff);
    });
  }

  #note(id: string): void {
    this.#answers.forget(id);
    this.#told.set(id, { known: this.#told.get(id)?.known, askedAt: -Infinity, isStale: true });
    this.#wake(id);
  }

  #beginAnew(): void {
    this.#feedBeganAt = this.clock.now();
    for (const id of [...this.#told.keys()]) this.#note(id);
  }

  /** Of those that began before the feed nothing more may be told for long. */
  async #noteOpenMoves(): Promise<void> {
    const table = `${quoteIdentifier(this.options.schema)}.moves`;
    const open = await this.lookups
      .query<{ id: string }[]>(`SELECT tenant_id AS id FROM ${table} WHERE finished_at IS NULL`)
      // PostgreSQL refuses what is sent to the old place, and so they are found as well.
      .catch(() => []);
    for (const { id } of open) this.#note(id);
  }

  /** Resolves when something is told of the tenant, or after `ms`. */
  #news(id: string, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiting);
      const end = () => {
        callOff();
        waiting.delete(end);
        if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
        resolve();
      };
      const callOff = this.clock.after(ms, end);
      waiting.add(end);
    });
  }

  #wake(id: string): void {
    for (const end of [...(this.#waiting.get(id) ?? [])]) end();
  }
}

interface PlaceRow {
  readonly id: string;
  readonly server: string;
  readonly isolation: Isolation;
  readonly isHeld: boolean;
}

async function askFor(
  lookups: DataSource,
  schema: string,
  ids: readonly string[],
): Promise<(Known | undefined)[]> {
  const own = quoteIdentifier(schema);
  try {
    const rows = await lookups.query<PlaceRow[]>(
      `SELECT t.id, t.server, t.isolation, COALESCE(m.state IN ('fencing', 'switching'), false) AS "isHeld"
       FROM ${own}.tenants t LEFT JOIN ${own}.moves m ON m.id = t.move_id WHERE t.id = ANY ($1::uuid[])`,
      [ids],
    );
    const byId = new Map(
      rows.map(({ id, server, isolation, isHeld }) => [id, { id, place: { server, isolation }, isHeld }]),
    );
    return ids.map((id) => byId.get(id));
  } catch (error) {
    throw orUnavailable('The tenant registry', error);
  }
}
