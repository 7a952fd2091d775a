import { DatabaseError } from 'pg';
import type { Logger } from 'typeorm';
import { splitStatements } from '../common/split-statements';
import { CommitOutcomeUnknownError } from '../connection/connection.errors';
import type { Lease } from '../connection/pool/lease';
import { transactionCommand } from '../connection/protocol/transaction-text';
import type { Begun } from './held-runner';
import { START } from './lane-bundle';
import { type LaneEnding, WithdrawnError } from './lane-ending';
import { countBehind, type Parameters, rollBack, sendMessage } from './lane-message';
import {
  begunWith,
  type Beginning,
  claimText,
  type PreparedClaim,
  type PreparedClaims,
} from './prepared-claims';

/** Of statements that are longer nobody looks whether they are one. */
const MAX_TRAVELLING = 100_000;
/** So many texts are remembered, in which PostgreSQL has found nothing that it could not read. */
const MAX_READ = 100;

/** What tells that a session has lost a prepared statement, or has one of that name. */
const UNKNOWN_STATEMENT: ReadonlySet<string> = new Set(['26000', '42P05']);

/**
 * Begins a lane's transactions: START TRANSACTION, the claim and the first statement go in one message, if they can in that
 * of the COMMIT before.
 *
 * What PostgreSQL cannot read fails the whole message, before any of it runs. So the first statement travels with the COMMIT
 * of another tenant only when it has been read before; a fleet sends the same for each tenant.
 */
export class LaneOpening {
  /** First statements that PostgreSQL was able to read. */
  readonly #read = new Set<string>();

  /** @param connect gives a connection on which no transaction is open */
  constructor(
    private readonly claims: PreparedClaims,
    private readonly logger: Logger,
    private readonly connect: () => Promise<Lease>,
  ) {}

  /** Whether the statement may travel with the COMMIT of another tenant. */
  hasRead(first: string): boolean {
    return this.#read.has(first);
  }

  /** In a message of its own, on a connection that has no transaction open. */
  async begin(lease: Lease, work: Beginning, first?: string): Promise<Begun> {
    const travels = first !== undefined && isAlone(first, lease);
    const behind = countBehind(lease, first);
    try {
      const ours = (own: Parameters) => [START, claimText(begunWith(work, own))];
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
        return this.begin(lease, work);
      }
      await rollBack(lease);
      throw error;
    }
  }

  /** On the connection of the transaction before, in one message with its end. */
  async goOn(before: LaneEnding, lease: Lease, work: Beginning, first: string): Promise<Begun> {
    before.isWaiting = false;
    const { client } = lease;
    const emptying = client.emptyingButNames.commands;
    const behind = countBehind(lease, first);
    let prepared: PreparedClaim | undefined;
    const ours = (own: Parameters) => {
      const claim = begunWith(work, own);
      // Behind a pooler the next transaction may be another session's.
      prepared = client.hasOwnSession ? this.claims.in(client.connection, claim) : undefined;
      if (prepared) client.notePrepared();
      // Not COMMIT AND CHAIN: what a migration had said of its transaction, such as READ ONLY, would hold for the next tenant.
      return [
        ...before.statements,
        START,
        ...emptying,
        ...(prepared?.prepare === undefined ? [] : [prepared.prepare()]),
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
        return this.begin(lease, work, first);
      }
      await rollBack(lease);
      if (unanswered <= fromClaim) throw own;
      // The session could not be emptied of what is the tenant's before. Another one may be.
      return this.begin(await this.connect(), work, first);
    }
  }

  #noteRead(text: string): void {
    if (this.#read.size < MAX_READ) this.#read.add(text);
  }

  #send(lease: Lease, ours: (own: Parameters) => readonly string[], first?: string) {
    return sendMessage(lease, { ours, first }, this.logger);
  }
}

/** Whether a text is one statement, and neither begins nor ends a transaction. */
function isAlone(text: string, { client }: Lease): boolean {
  if (text.length > MAX_TRAVELLING) return false;
  const statements = splitStatements(text, client.standardStrings);
  return statements?.length === 1 && transactionCommand(statements[0].head) === undefined;
}
