import type { Logger } from 'typeorm';
import { quoteLiteral } from '../common/sql';
import type { Lease } from '../connection/pool/lease';
import type { TenantContext } from '../context/tenant-context';
import type { Tenant } from '../registry/tenant';
import { type Parameters, sendMessage } from './lane-message';
import {
  type Beginning,
  begunWith,
  claimText,
  type PreparedClaim,
  type PreparedClaims,
} from './prepared-claims';

/** READ COMMITTED: under a stricter default, who waited for a lock would not see what it was held for. */
export const START = 'START TRANSACTION ISOLATION LEVEL READ COMMITTED';

/** One transaction, all of whose statements are known before it begins. */
export interface ForeseenWork extends Beginning {
  readonly texts: readonly string[];
  /** A statement that travels with its COMMIT. */
  readonly last?: string;
}

/**
 * Transactions of several tenants in one message. Each is committed by itself, and PostgreSQL runs the message up to the first
 * error: those before it are kept, and nothing of those behind it has run.
 */
export class LaneBundle {
  readonly #statements: string[] = [];
  /** For each transaction, how many statements there are up to its COMMIT. */
  readonly #ends: number[] = [];
  readonly #prepared = new Map<string, PreparedClaim>();
  /** Of the tenant that is worked for next. */
  #parameters: Parameters;

  /** @param after what the first tenant has joined, if the connection has sent others before */
  constructor(
    private readonly lease: Lease,
    private readonly context: TenantContext,
    private readonly claims: PreparedClaims,
    private readonly after?: Parameters,
  ) {
    this.#parameters = after ?? lease.parameters.values;
  }

  /** How many transactions are in it. */
  get size(): number {
    return this.#ends.length;
  }

  /** Whether the connection may work for this tenant, too. From then on it does. */
  join(tenant: Tenant): boolean {
    const next = this.context.runUnborn(tenant, () => this.lease.join())?.values;
    if (next) this.#parameters = next;
    return next !== undefined;
  }

  /** Puts a transaction in, of the tenant that has joined last. */
  add(work: ForeseenWork): void {
    const { client } = this.lease;
    const own = this.#parameters;
    const begun = begunWith(work, own);
    // Behind a pooler the next transaction may be another session's.
    const prepared = client.hasOwnSession ? this.claims.in(client.connection, begun) : undefined;
    this.#statements.push(START);
    if (this.size > 0 || this.after) this.#statements.push(...client.emptyingButNames.commands);
    if (prepared) {
      if (prepared.prepare !== undefined && !this.#prepared.has(prepared.name)) {
        this.#statements.push(prepared.prepare());
        this.#prepared.set(prepared.name, prepared);
      }
      this.#statements.push(prepared.execute);
    } else {
      this.#statements.push(claimText(begun));
    }
    this.#statements.push(...work.texts, pathCheck(own.search_path));
    if (work.last !== undefined) this.#statements.push(work.last);
    this.#statements.push('COMMIT');
    this.#ends.push(this.#statements.length);
  }

  /** Sends it, and tells how many transactions are committed, as far as PostgreSQL has answered. */
  async send(logger: Logger): Promise<number> {
    const { client } = this.lease;
    if (this.#prepared.size > 0) client.notePrepared();
    try {
      await sendMessage(this.lease, { ours: () => this.#statements }, logger);
      for (const prepared of this.#prepared.values()) this.claims.note(client.connection, prepared);
      return this.size;
    } catch {
      // What has failed is run again by itself, and then tells why.
      const answered = this.#statements.length - client.unanswered;
      return this.#ends.filter((end) => end <= answered).length;
    }
  }
}

/** A statement that fails when the path is another one. */
function pathCheck(path: string): string {
  return `SELECT 1 OPERATOR(pg_catalog./)
    (pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.=) ${quoteLiteral(path)})::pg_catalog.int4`;
}
