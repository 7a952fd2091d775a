import { DatabaseError, type QueryConfig } from 'pg';
import {
  type DataSource,
  QueryRunnerAlreadyReleasedError,
  type QueryRunner,
  TransactionNotStartedError,
} from 'typeorm';
import { splitStatements } from '../common/split-statements';
import { CommitOutcomeUnknownError } from '../connection/connection.errors';
import { HAND_OVER, type LeasedClient } from '../connection/pool/lease';
import {
  type Answered,
  GIVE_TEXT,
  type GiveText,
  transactionCommand,
} from '../connection/protocol/transaction-text';
import type { TenantClient } from '../connection/protocol/tenant-client';
import type { TenantContext } from '../context/tenant-context';
import { PLACE_CHECK } from '../provisioning/template/migration-run';
import type { Tenant } from '../registry/tenant';
import { type Begun, HeldRunner } from './held-runner';
import type { Claim } from './migration-ledger';
import { claimText, type PreparedClaim, type PreparedClaims } from './prepared-claims';

/** What is done in one transaction of a lane. */
export interface LaneWork {
  readonly tenant: Tenant;
  /** For the transaction, beside those of the tenant. */
  readonly settings: Readonly<Record<string, string>>;
  /** Begins it, and fails when nothing of it is to run. */
  readonly claim: Claim;
  run(queryRunner: QueryRunner): Promise<void>;
  /** A statement that travels with its COMMIT. */
  readonly last?: string;
  /** Called when all is done but the end, which then waits for what the lane does next. Left out: it is ended at once. */
  readonly onHeld?: () => void;
}

/** What was to run after a transaction whose end then failed. Nothing of it has run. */
export class WithdrawnError extends Error {}

/** READ COMMITTED: under a stricter default, who waited for a lock would not see what it was held for. */
const START = 'START TRANSACTION ISOLATION LEVEL READ COMMITTED';

/** Of statements that are longer nobody looks whether they are one. */
const MAX_TRAVELLING = 100_000;
/** So many texts are remembered, in which PostgreSQL has found nothing that it could not read. */
const MAX_READ = 100;

/** Tells after the first statement whether the path is still the given one: in a fifth of the time that the check takes. */
const SHOW_PATH = 'SHOW search_path';

/** What tells that a session has lost a prepared statement, or has one of that name. */
const UNKNOWN_STATEMENT: ReadonlySet<string> = new Set(['26000', '42P05']);

/** What comes behind a claim: the first statement, and what shows the path. */
const BEHIND_CLAIM = 2;

/** Statements that claim, for a transaction with these parameters. */
type MakeClaim = (parameters: Readonly<Record<string, string>>) => readonly string[];

/** What is sent at once: texts, then what claims the work, then the first statement. */
interface Message {
  readonly texts: readonly string[];
  readonly work?: LaneWork;
  readonly claim?: MakeClaim;
  readonly first?: string;
}

type Sent = Pick<Begun, 'result' | 'isInPlace'>;

/** The end of a transaction. It is sent with the beginning of the next, or by itself when none comes at once. */
class Ending {
  isWaiting = true;
  readonly done: Promise<void>;
  /** Whether it went well. */
  readonly outcome: Promise<boolean>;
  settle!: (error?: Error) => void;

  constructor(
    readonly tenant: Tenant,
    readonly client: LeasedClient,
    /** Statements, up to COMMIT. */
    readonly last: readonly string[],
  ) {
    this.done = new Promise((resolve, reject) => {
      this.settle = (error) => (error === undefined ? resolve() : reject(error));
    });
    this.outcome = this.done.then(
      () => true,
      () => false,
    );
  }
}

/**
 * Transactions one after the other, in as few messages as it takes: most of what a migration costs is its messages, and a
 * fleet has thousands. What begins one travels with its first statement, and with both the end of the one before,
 * on its connection. PostgreSQL runs a message up to the first error, so nothing runs for want of what is in front of it;
 * and no transaction is kept open longer than it takes Node to see that nothing comes for it to travel with.
 */
export class MigrationLane {
  #ending: Ending | undefined;
  /** A statement that PostgreSQL cannot read would fail what travels in front of it: only those go on with a transaction. */
  readonly #read = new Set<string>();

  constructor(
    private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly claims: PreparedClaims,
  ) {}

  /**
   * How long it took, in milliseconds, once it is committed. Rolled back when it rejects.
   *
   * @throws WithdrawnError when the one before, whose end had waited, was not committed
   */
  async run(work: LaneWork): Promise<number> {
    const before = this.#ending;
    const { tenant } = work;
    const open = (first?: string) => this.context.runUnborn(tenant, () => this.#open(work, before, first));
    const held = new HeldRunner(this.dataSource, open, () => this.context.find()?.id === tenant.id);
    const start = performance.now();
    let begun: Begun;
    try {
      begun = await this.#work(work, held);
    } catch (error) {
      throw await abandon(held, error);
    } finally {
      await held.release();
    }
    const ms = performance.now() - start;
    await this.#end(begun.client, work, await held.isInPlace());
    return ms;
  }

  /** Whether the end of the latest waits, or has been sent and not been answered. */
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
    if (!(await latest.outcome)) throw new WithdrawnError();
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

  #end(client: LeasedClient, { tenant, last, onHeld }: LaneWork, isInPlace: boolean): Promise<void> {
    const ending = new Ending(tenant, client, [
      // Of a transaction that has failed COMMIT tells.
      ...(isInPlace || client.getTransactionStatus() === 'E' ? [] : [PLACE_CHECK]),
      ...(last === undefined ? [] : [last]),
      'COMMIT',
    ]);
    this.#ending = ending;
    void ending.outcome.then(() => {
      if (this.#ending === ending) this.#ending = undefined;
    });
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

  async #sendEndAlone(ending: Ending): Promise<void> {
    const { client, last } = ending;
    try {
      await this.#send(client, { texts: last });
      client.release();
      ending.settle();
    } catch (error) {
      await rollBack(client);
      ending.settle(error as Error);
    }
  }

  async #open(work: LaneWork, before: Ending | undefined, first: string | undefined): Promise<Begun> {
    if (before?.isWaiting) {
      const next = first !== undefined && this.#read.has(first) && before.client[HAND_OVER]();
      if (next) return this.#goOn(before, next, work, first);
    }
    await this.settle(before);
    return this.#begin(await this.#connect(), work, first);
  }

  async #connect(): Promise<LeasedClient> {
    const driver = this.dataSource.driver as unknown as {
      obtainMasterConnection(): Promise<[LeasedClient]>;
    };
    const [client] = await driver.obtainMasterConnection();
    this.claims.visit((client as unknown as TenantClient).connection);
    return client;
  }

  async #begin(client: LeasedClient, work: LaneWork, first?: string): Promise<Begun> {
    const travels = first !== undefined && isAlone(first, client);
    const claim: MakeClaim = (parameters) => [claimText({ claim: work.claim, parameters })];
    try {
      const sent = await this.#send(client, {
        texts: [START],
        work,
        claim,
        first: travels ? first : undefined,
      });
      if (travels) this.#noteRead(first);
      return { client, ...sent };
    } catch (error) {
      const left = unansweredOf(client);
      if (travels && left > 0 && left <= BEHIND_CLAIM) {
        this.#noteRead(first);
        return { client, error };
      }
      if (travels && left > BEHIND_CLAIM + 1 && error instanceof DatabaseError) {
        // PostgreSQL reads all of a message before it runs any of it. By itself the statement fails as it should.
        if (client.getTransactionStatus() !== 'I') await client.query('ROLLBACK');
        return this.#begin(client, work);
      }
      await rollBack(client);
      throw error;
    }
  }

  /** On the connection of the transaction before, in one message with its end. */
  async #goOn(before: Ending, client: LeasedClient, work: LaneWork, first: string): Promise<Begun> {
    before.isWaiting = false;
    const { connection, hasOwnSession, emptyingButNames } = client as unknown as TenantClient;
    const { commands: emptying } = emptyingButNames;
    let prepared: PreparedClaim | undefined;
    const claim: MakeClaim = (parameters) => {
      const begun = { claim: work.claim, parameters };
      // Behind a pooler the next transaction may be another session's.
      if (hasOwnSession) prepared = this.claims.in(connection, begun);
      if (!prepared) return [claimText(begun)];
      (client as unknown as TenantClient).notePrepared();
      return prepared.prepare === undefined ? [prepared.execute] : [prepared.prepare, prepared.execute];
    };
    try {
      // Not COMMIT AND CHAIN: what a migration had said of its transaction, such as READ ONLY, would hold for the next tenant.
      const texts = [...before.last, START, ...emptying];
      const sent = await this.#send(client, { texts, work, claim, first });
      before.settle();
      if (prepared) this.claims.note(connection, prepared);
      return { client, ...sent };
    } catch (error) {
      const left = unansweredOf(client);
      const claiming = (prepared?.prepare === undefined ? 1 : 2) + BEHIND_CLAIM;
      if (left > 1 + emptying.length + claiming) {
        await rollBack(client);
        before.settle(error as Error);
        throw new WithdrawnError();
      }
      before.settle();
      if (prepared && left <= BEHIND_CLAIM + 1) this.claims.note(connection, prepared);
      // That COMMIT was answered.
      const own = error instanceof CommitOutcomeUnknownError ? error.cause : error;
      if (left <= BEHIND_CLAIM) return { client, error: own };
      const code = own instanceof DatabaseError ? own.code : undefined;
      if (prepared && UNKNOWN_STATEMENT.has(code ?? '')) {
        this.claims.giveUp(connection);
        await client.query('ROLLBACK');
        return this.#begin(client, work, first);
      }
      await rollBack(client);
      if (left <= claiming) throw own;
      // The session could not be emptied of what is the tenant's before. Another one may be.
      return this.#begin(await this.#connect(), work, first);
    }
  }

  #noteRead(text: string): void {
    if (this.#read.size < MAX_READ) this.#read.add(text);
  }

  async #send(client: LeasedClient, { texts, work, claim, first }: Message): Promise<Sent> {
    let path: string | undefined;
    const give: GiveText = ({ values }) => {
      path = values.search_path;
      const before = claim ? [...texts, ...claim({ ...values, ...work?.settings })] : texts;
      const own = before.join('; ');
      // TypeORM logs the first statement itself.
      this.dataSource.logger.logQuery(own);
      const answers: Answered[] = before.map(() => 'unread');
      if (first === undefined)
        return { text: own, answers: [...answers.slice(1), 'own'], own: '', behind: '' };
      // On a line of its own, lest a comment at the statement's end swallows it.
      const behind = `\n;${SHOW_PATH}`;
      return { text: `${own}; ${first}${behind}`, answers: [...answers, 'own', 'own'], own: first, behind };
    };
    const query: QueryConfig & { [GIVE_TEXT]: GiveText } = {
      text: `${texts.join('; ')}; ${first ?? ''}`,
      [GIVE_TEXT]: give,
    };
    // pg gives one result for one statement, and a list for several.
    const [result, shown] = [await client.query<{ search_path: string }>(query)].flat();
    return first === undefined ? {} : { result, isInPlace: shown.rows[0].search_path === path };
  }
}

/** Rolls back what has begun, and gives the error that tells why: that of the beginning, whatever the migration made of it. */
async function abandon(held: HeldRunner, error: unknown): Promise<unknown> {
  try {
    const client = await held.client();
    if (client) await rollBack(client);
    return error;
  } catch (failure) {
    return failure;
  }
}

/** The first error tells why. A connection that cannot roll back is destroyed when it is released. */
async function rollBack(client: LeasedClient): Promise<void> {
  await client.query('ROLLBACK').catch(() => undefined);
  client.release();
}

/** Whether a text is one statement, and neither begins nor ends a transaction. */
function isAlone(text: string, client: LeasedClient): boolean {
  if (text.length > MAX_TRAVELLING) return false;
  const { standardStrings } = client as unknown as TenantClient;
  const statements = splitStatements(text, standardStrings);
  return statements?.length === 1 && transactionCommand(statements[0].head) === undefined;
}

function unansweredOf(client: LeasedClient): number {
  return (client as unknown as TenantClient).unanswered;
}
