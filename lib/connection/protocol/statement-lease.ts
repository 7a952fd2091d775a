import type { TransactionSettings } from './settings';
import type { TenantClient } from './tenant-client';

/** What a statement has to know of the lease it is sent in. */
export interface StatementLease {
  readonly client: TenantClient;
  /** Why a statement must not be sent now, if it must not. `text`: its own, if it is known. */
  refusal(text?: unknown): Error | undefined;
  /** What makes a transaction the tenant's. */
  readonly settings: TransactionSettings;
  /** Whether the statement is nobody's: it may then run without settings, where it refuses to run with them. */
  readonly isSystem: boolean;
  /** Notes what a statement that is about to be sent may leave behind. */
  heedText(text: unknown): void;
  /**
   * Has the session emptied, and the query sent again, which PostgreSQL refused for what the session holds.
   *
   * @returns false when that has been tried often enough
   */
  sendToEmptySession(query: object): boolean;
  /** Notes what an error says of the connection, and gives what to tell of it. */
  heed(error: Error): Error;
}
