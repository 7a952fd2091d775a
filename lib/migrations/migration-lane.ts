import {
  type DataSource,
  QueryRunnerAlreadyReleasedError,
  type QueryRunner,
  TransactionNotStartedError,
} from 'typeorm';
import type { Lease, LeasedClient } from '../connection/pool/lease';
import { LEASE } from '../connection/pool/lease-handle';
import type { TenantContext } from '../context/tenant-context';
import { PLACE_CHECK } from '../provisioning/template/migration-run';
import type { NamedMigration } from '../provisioning/template/named-migrations';
import type { Tenant } from '../registry/tenant';
import { type Begun, HeldRunner } from './held-runner';
import { type ForeseenWork, LaneBundle } from './lane-bundle';
import { LaneEnding, WithdrawnError } from './lane-ending';
import { rollBack } from './lane-message';
import { LaneOpening } from './lane-opening';
import type { RunDirection } from './migration-runs';
import { PlainMigrations, type PlainWatch } from './plain-migrations';
import type { Beginning, PreparedClaims } from './prepared-claims';

/** What is done in one transaction of a lane. */
export interface LaneWork extends Beginning {
  readonly tenant: Tenant;
  run(queryRunner: QueryRunner): Promise<unknown>;
  /** Is told what it asks of its query runner. */
  readonly watch?: PlainWatch;
  /** A statement that travels with its COMMIT. */
  readonly last?: string;
  /** Called when all is done but COMMIT, which then waits for what the lane does next. Left out: it is sent at once. */
  readonly onHeld?: () => void;
}

/** A tenant of which it may be told what is to be done. */
export interface ForeseenTurn {
  readonly tenant: Tenant;
  /** Its transactions; `undefined` when that cannot be told. It never rejects. */
  readonly foresee: () => Promise<readonly ForeseenWork[] | undefined>;
}

/**
 * Transactions one after the other, in as few messages as it takes: most of what a migration costs is its messages, and a
 * fleet has thousands. One message holds COMMIT of a tenant, and START TRANSACTION, the claim and the first statement of the
 * next one. PostgreSQL runs a message up to the first error, so nothing runs for want of what is in front of it; and no
 * transaction is kept open longer than it takes Node to see that nothing comes for its COMMIT to travel with.
 */
export class MigrationLane {
  /** Of the latest transaction, as long as it has not been committed. */
  #ending: LaneEnding | undefined;
  readonly #opening: LaneOpening;
  /** The connection of the latest message to several tenants, and the one for whom it was checked out. */
  #kept: { readonly lease: Lease; readonly tenant: Tenant } | undefined;
  #isWanted = false;
  constructor(
    private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly claims: PreparedClaims,
    /** Migrations that need not be asked one tenant at a time. */
    readonly plain = new PlainMigrations(),
  ) {
    this.#opening = new LaneOpening(claims, dataSource.logger, () => this.#connect());
  }

  /**
   * Resolves when it is committed. Rolled back when it rejects.
   *
   * @throws WithdrawnError when the one before, whose COMMIT had waited, was not committed
   */
  async run(work: LaneWork): Promise<void> {
    const before = this.#ending;
    const { tenant, watch } = work;
    const open = (first?: string) => this.context.runUnborn(tenant, () => this.#open(work, before, first));
    const isOwnScope = () => this.context.find()?.id === tenant.id;
    const held = new HeldRunner(this.dataSource, { open, isOwnScope, watch });
    let begun: Begun;
    try {
      begun = await this.#work(work, held);
    } catch (error) {
      throw await abandon(held, error);
    } finally {
      await held.release();
    }
    await this.#end(begun.lease, work, !held.isLent && begun.isInPlace === true);
  }

  /** What a plain migration would send for the tenant that the current code runs for; `undefined` when that cannot be told. */
  foresee(migration: NamedMigration, direction: RunDirection): Promise<readonly string[] | undefined> {
    return this.plain.foresee(migration, direction, this.dataSource);
  }

  /**
   * Runs transactions of several tenants in one message. Tells how many are committed, from the first on; the others are
   * not, unless the connection was lost. What comes behind a tenant that cannot be foreseen, or for which the connection
   * cannot work now, is not asked.
   */
  async runTogether(turns: readonly ForeseenTurn[]): Promise<number> {
    await this.settle();
    const [{ tenant: first }] = turns;
    const kept = this.#goOnFor(first);
    const { tenant } = kept ?? { tenant: first };
    return this.context.runUnborn(tenant, async () => {
      // Why there is none is told by the one that is run by itself then.
      const lease = kept?.lease ?? (await this.#connect().catch(() => undefined));
      if (!lease) return 0;
      if (!lease.client.standardStrings) {
        lease.release();
        return 0;
      }
      const bundle = new LaneBundle(lease, this.context, this.claims, kept?.parameters);
      await fill(bundle, turns);
      const committed = bundle.size > 0 ? await bundle.send(this.dataSource.logger) : 0;
      if (committed < bundle.size) await rollBack(lease);
      else this.#kept = { lease, tenant };
      return committed;
    });
  }

  /** Whether somebody else was to have the connection when the latest message could have been sent on it. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** Gives back the connection that is kept. To be called before the lane waits for anything but the answer to its messages. */
  letGo(): void {
    this.#kept?.lease.release();
    this.#kept = undefined;
  }

  /**
   * The kept connection with what it works for a tenant: its session remembers the statement of the claim. It goes back when
   * somebody else waits for it, or when something is left in its session.
   */
  #goOnFor(tenant: Tenant) {
    const kept = this.#kept;
    if (!kept) return undefined;
    const { mayGoOn } = kept.lease;
    const joined = mayGoOn ? this.context.runUnborn(tenant, () => kept.lease.join()) : undefined;
    this.#isWanted = mayGoOn && joined === undefined;
    if (!joined) this.letGo();
    this.#kept = undefined;
    return joined && { ...kept, parameters: joined.values };
  }

  /** Whether the COMMIT of the latest waits, or has been sent and not been answered. */
  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  /** Sends what waits. */
  flush(): void {
    this.#ending?.sendAlone(this.context, this.dataSource.logger);
  }

  /**
   * Resolves when the latest is committed, which travels with nothing any more.
   *
   * @throws WithdrawnError when it was not
   */
  async settle(latest = this.#ending): Promise<void> {
    if (!latest) return;
    latest.sendAlone(this.context, this.dataSource.logger);
    await latest.done.catch(() => {
      throw new WithdrawnError();
    });
  }

  async #work(work: LaneWork, held: HeldRunner): Promise<Begun> {
    await work.run(held.queryRunner);
    const begun = await held.begin();
    // A migration may have caught it; of a transaction that has failed nothing can be kept.
    if (begun.error !== undefined) throw begun.error as Error;
    if (!held.isActive) throw new TransactionNotStartedError();
    if (held.queryRunner.isReleased) throw new QueryRunnerAlreadyReleasedError();
    return begun;
  }

  #end(lease: Lease, { tenant, last, onHeld }: LaneWork, isInPlace: boolean): Promise<void> {
    const statements = last === undefined ? ['COMMIT'] : [last, 'COMMIT'];
    // Of a transaction that has failed COMMIT tells.
    if (!isInPlace && lease.client.getTransactionStatus() !== 'E') statements.unshift(PLACE_CHECK);
    const ending = new LaneEnding(tenant, lease, statements, (settled) => {
      if (this.#ending === settled) this.#ending = undefined;
    });
    this.#ending = ending;
    const send = () => ending.sendAlone(this.context, this.dataSource.logger);
    if (onHeld) {
      setImmediate(send);
      onHeld();
    } else {
      send();
    }
    return ending.done;
  }

  async #open(work: LaneWork, before: LaneEnding | undefined, first: string | undefined): Promise<Begun> {
    if (before?.isWaiting && first !== undefined && this.#opening.hasRead(first)) {
      const lease = before.lease.handOver();
      if (lease) return this.#opening.goOn(before, lease, work, first);
    }
    this.letGo();
    await this.settle(before);
    return this.#opening.begin(await this.#connect(), work, first);
  }

  async #connect(): Promise<Lease> {
    const driver = this.dataSource.driver as unknown as {
      obtainMasterConnection(): Promise<[LeasedClient]>;
    };
    const [{ [LEASE]: lease }] = await driver.obtainMasterConnection();
    this.claims.visit(lease.client.connection);
    return lease;
  }
}

/** A migration is not asked for a tenant before it is known that the connection may work for it: it would be asked again. */
async function fill(bundle: LaneBundle, turns: readonly ForeseenTurn[]): Promise<void> {
  for (const [i, { tenant, foresee }] of turns.entries()) {
    if (i > 0 && !bundle.join(tenant)) return;
    const works = await foresee();
    if (!works) return;
    for (const work of works) bundle.add(work);
  }
}

/** Rolls back what has begun, and gives the error that tells why: that of the beginning, whatever the migration made of it. */
async function abandon(held: HeldRunner, error: unknown): Promise<unknown> {
  try {
    const lease = await held.lease();
    if (lease) await rollBack(lease);
    return error;
  } catch (failure) {
    return failure;
  }
}
