import { DatabaseError } from 'pg';
import {
  type DataSource,
  QueryRunnerAlreadyReleasedError,
  type QueryRunner,
  TransactionNotStartedError,
} from 'typeorm';
import { splitStatements } from '../common/split-statements';
import { CommitOutcomeUnknownError } from '../connection/connection.errors';
import type { Lease, LeasedClient } from '../connection/pool/lease';
import { LEASE } from '../connection/pool/lease-handle';
import { transactionCommand } from '../connection/protocol/transaction-text';
import type { TenantContext } from '../context/tenant-context';
import { PLACE_CHECK } from '../provisioning/template/migration-run';
import type { NamedMigration } from '../provisioning/template/named-migrations';
import type { Tenant } from '../registry/tenant';
import { type Begun, HeldRunner } from './held-runner';
import { type ForeseenWork, LaneBundle, START } from './lane-bundle';
import { countBehind, type Parameters, sendMessage } from './lane-message';
import type { Claim } from './migration-ledger';
import type { RunDirection } from './migration-runs';
import { PlainMigrations, type PlainWatch } from './plain-migrations';
import { claimText, type PreparedClaim, type PreparedClaims } from './prepared-claims';

/** What is done in one transaction of a lane. */
export interface LaneWork {
  readonly tenant: Tenant;
  /** For the transaction, beside those of the tenant. */
  readonly settings: Parameters;
  /** Fails when there is nothing to run: then nothing behind it in the message runs either. */
  readonly claim: Claim;
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

/** What was to run after a transaction whose COMMIT then failed. Nothing of it has run. */
export class WithdrawnError extends Error {}

/** Of statements that are longer nobody looks whether they are one. */
const MAX_TRAVELLING = 100_000;
/** So many texts are remembered, in which PostgreSQL has found nothing that it could not read. */
const MAX_READ = 100;

/** What tells that a session has lost a prepared statement, or has one of that name. */
const UNKNOWN_STATEMENT: ReadonlySet<string> = new Set(['26000', '42P05']);

/** The end of a transaction. It is sent with the beginning of the next, or by itself when none comes at once. */
class Ending {
  isWaiting = true;
  /** Resolves when it is committed, and rejects when it is not. */
  readonly done: Promise<void>;
  settle!: (error?: Error) => void;

  /** @param statements up to COMMIT */
  constructor(
    readonly tenant: Tenant,
    readonly lease: Lease,
    readonly statements: readonly string[],
    onSettled: (ending: Ending) => void,
  ) {
    this.done = new Promise((resolve, reject) => {
      this.settle = (error) => {
        onSettled(this);
        if (error === undefined) resolve();
        else reject(error);
      };
    });
  }
}

/**
 * Transactions one after the other, in as few messages as it takes: most of what a migration costs is its messages, and a
 * fleet has thousands. One message holds COMMIT of a tenant, and START TRANSACTION, the claim and the first statement of the
 * next one. PostgreSQL runs a message up to the first error, so nothing runs for want of what is in front of it; and no
 * transaction is kept open longer than it takes Node to see that nothing comes for its COMMIT to travel with.
 *
 * What PostgreSQL cannot read fails the whole message, before any of it runs. So the first statement travels with the COMMIT
 * of another tenant only when it has been read before; a fleet sends the same for each tenant.
 */
export class MigrationLane {
  /** Of the latest transaction, as long as it has not been committed. */
  #ending: Ending | undefined;
  /** First statements that PostgreSQL was able to read. */
  readonly #read = new Set<string>();
  /** Migrations that need not be asked one tenant at a time. */
  readonly plain = new PlainMigrations();

  constructor(
    private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly claims: PreparedClaims,
  ) {}

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
    return this.plain.foresee(migration, direction, this.dataSource.createQueryRunner());
  }

  /**
   * Runs transactions of several tenants in one message. Tells how many are committed, from the first on; the others are
   * not, unless the connection was lost. What comes behind a tenant that cannot be foreseen, or for which the connection
   * cannot work now, is not asked.
   */
  async runTogether(turns: readonly ForeseenTurn[]): Promise<number> {
    await this.settle();
    return this.context.runUnborn(turns[0].tenant, async () => {
      // Why there is none is told by the one that is run by itself then.
      const lease = await this.#connect().catch(() => undefined);
      if (!lease) return 0;
      if (!lease.client.standardStrings) {
        lease.release();
        return 0;
      }
      const bundle = new LaneBundle(lease, this.context, this.claims);
      await fill(bundle, turns);
      const committed = bundle.size > 0 ? await bundle.send(this.dataSource.logger) : 0;
      if (committed < bundle.size) await rollBack(lease);
      else lease.release();
      return committed;
    });
  }

  /** Whether the COMMIT of the latest waits, or has been sent and not been answered. */
  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  /** Sends what waits. */
  flush(): void {
    if (this.#ending) this.#sendEnd(this.#ending);
  }

  /**
   * Resolves when the latest is committed, which travels with nothing any more.
   *
   * @throws WithdrawnError when it was not
   */
  async settle(latest = this.#ending): Promise<void> {
    if (!latest) return;
    this.#sendEnd(latest);
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
    const ending = new Ending(tenant, lease, statements, (settled) => {
      if (this.#ending === settled) this.#ending = undefined;
    });
    this.#ending = ending;
    if (onHeld) {
      setImmediate(() => this.#sendEnd(ending));
      onHeld();
    } else {
      this.#sendEnd(ending);
    }
    return ending.done;
  }

  /** Also for the next tenant, which waits for it. */
  #sendEnd(ending: Ending): void {
    if (!ending.isWaiting) return;
    ending.isWaiting = false;
    void this.context.runUnborn(ending.tenant, () => this.#sendEndAlone(ending));
  }

  async #sendEndAlone({ lease, statements, settle }: Ending): Promise<void> {
    try {
      await this.#send(lease, () => statements);
      lease.release();
      settle();
    } catch (error) {
      await rollBack(lease);
      settle(error as Error);
    }
  }

  async #open(work: LaneWork, before: Ending | undefined, first: string | undefined): Promise<Begun> {
    if (before?.isWaiting && first !== undefined && this.#read.has(first)) {
      const lease = before.lease.handOver();
      if (lease) return this.#goOn(before, lease, work, first);
    }
    await this.settle(before);
    return this.#begin(await this.#connect(), work, first);
  }

  async #connect(): Promise<Lease> {
    const driver = this.dataSource.driver as unknown as {
      obtainMasterConnection(): Promise<[LeasedClient]>;
    };
    const [{ [LEASE]: lease }] = await driver.obtainMasterConnection();
    this.claims.visit(lease.client.connection);
    return lease;
  }

  /** In a message of its own, on a connection that has no transaction open. */
  async #begin(lease: Lease, work: LaneWork, first?: string): Promise<Begun> {
    const travels = first !== undefined && isAlone(first, lease);
    const behind = countBehind(lease, first);
    try {
      const ours = (own: Parameters) => [START, claimText(begunClaim(work, own))];
      const answer = await this.#send(lease, ours, travels ? first : undefined);
      if (travels) this.#noteRead(first);
      return { lease, ...answer };
    } catch (error) {
      const { unanswered } = lease.client;
      if (travels && unanswered > 0 && unanswered <= behind) {
        this.#noteRead(first);
        return { lease, error };
      }
      if (travels && unanswered > behind + 1 && error instanceof DatabaseError) {
        // PostgreSQL could not read it. By itself it fails as it should.
        if (lease.client.getTransactionStatus() !== 'I') await lease.handle.query('ROLLBACK');
        return this.#begin(lease, work);
      }
      await rollBack(lease);
      throw error;
    }
  }

  /** On the connection of the transaction before, in one message with its end. */
  async #goOn(before: Ending, lease: Lease, work: LaneWork, first: string): Promise<Begun> {
    before.isWaiting = false;
    const { client } = lease;
    const emptying = client.emptyingButNames.commands;
    const behind = countBehind(lease, first);
    let prepared: PreparedClaim | undefined;
    const ours = (own: Parameters) => {
      const claim = begunClaim(work, own);
      // Behind a pooler the next transaction may be another session's.
      prepared = client.hasOwnSession ? this.claims.in(client.connection, claim) : undefined;
      if (prepared) client.notePrepared();
      // Not COMMIT AND CHAIN: what a migration had said of its transaction, such as READ ONLY, would hold for the next tenant.
      return [
        ...before.statements,
        START,
        ...emptying,
        ...(prepared?.prepare === undefined ? [] : [prepared.prepare]),
        prepared?.execute ?? claimText(claim),
      ];
    };
    try {
      const answer = await this.#send(lease, ours, first);
      before.settle();
      if (prepared) this.claims.note(client.connection, prepared);
      return { lease, ...answer };
    } catch (error) {
      const { unanswered } = client;
      const fromClaim = (prepared?.prepare === undefined ? 1 : 2) + behind;
      if (unanswered > 1 + emptying.length + fromClaim) {
        await rollBack(lease);
        before.settle(error as Error);
        throw new WithdrawnError();
      }
      before.settle();
      if (prepared && unanswered <= behind + 1) this.claims.note(client.connection, prepared);
      // That COMMIT was answered.
      const own = error instanceof CommitOutcomeUnknownError ? error.cause : error;
      if (unanswered <= behind) return { lease, error: own };
      const code = own instanceof DatabaseError ? own.code : undefined;
      if (prepared && UNKNOWN_STATEMENT.has(code ?? '')) {
        this.claims.giveUp(client.connection);
        await lease.handle.query('ROLLBACK');
        return this.#begin(lease, work, first);
      }
      await rollBack(lease);
      if (unanswered <= fromClaim) throw own;
      // The session could not be emptied of what is the tenant's before. Another one may be.
      return this.#begin(await this.#connect(), work, first);
    }
  }

  #noteRead(text: string): void {
    if (this.#read.size < MAX_READ) this.#read.add(text);
  }

  #send(lease: Lease, ours: (own: Parameters) => readonly string[], first?: string) {
    return sendMessage(lease, { ours, first }, this.dataSource.logger);
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

function begunClaim({ claim, settings }: LaneWork, own: Parameters) {
  return { claim, parameters: { ...own, ...settings } };
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

/** The first error tells why. A connection that cannot roll back is destroyed when it is released. */
async function rollBack(lease: Lease): Promise<void> {
  await lease.handle.query('ROLLBACK').catch(() => undefined);
  lease.release();
}

/** Whether a text is one statement, and neither begins nor ends a transaction. */
function isAlone(text: string, { client }: Lease): boolean {
  if (text.length > MAX_TRAVELLING) return false;
  const statements = splitStatements(text, client.standardStrings);
  return statements?.length === 1 && transactionCommand(statements[0].head) === undefined;
}
