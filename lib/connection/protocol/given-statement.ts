import { DatabaseError } from 'pg';
import { CommitOutcomeUnknownError } from '../connection.errors';
import { BaseQuery, type QueryCallback, type WireConnection } from './pg-internals';
import type { StatementLease } from './tenant-statement';
import type { TransactionParameters } from './transaction-parameters';
import { type CarriedText, leavesCommitOpen } from './transaction-text';

/**
 * A text of code of this package that sends thousands of them: to read what is in it would take longer than anything else
 * that is done with it. It begins or goes on with a transaction, and has the parameters in it.
 */
export interface GivenText extends CarriedText {
  /** The statement in it that is somebody else's, if there is one: it may leave something in the session. */
  readonly own: string;
  /** What stands behind that. */
  readonly behind: string;
}

/** Makes the text when it is sent. */
export type GiveText = (parameters: TransactionParameters) => GivenText;

/** A message of such a text. */
export class GivenStatement extends BaseQuery {
  readonly #lease: StatementLease;
  readonly #give: GiveText;
  #given: GivenText | undefined;
  #sent = '';

  constructor(lease: StatementLease, give: GiveText, callback: QueryCallback) {
    super('', undefined, callback);
    this.#lease = lease;
    this.#give = give;
  }

  override submit(): Error | null {
    const { client, parameters } = this.#lease;
    const given = this.#give(parameters);
    const refusal = this.#lease.refusal(given.text);
    if (refusal) return refusal;
    this.#given = given;
    this.text = given.text;
    this.#lease.heedText(given.own);
    this.#sent = client.sendCarried(given, parameters);
    return null;
  }

  override handleError(error: Error, connection: WireConnection): void {
    if (error instanceof DatabaseError && this.#given) this.#placeIn(this.#given, error);
    super.handleError(this.#lease.heed(error), connection);
  }

  /** PostgreSQL counts from the beginning of what was sent, whose author knows one statement only. */
  #placeIn({ own, behind }: GivenText, error: DatabaseError): void {
    const place = Number(error.position) - (lengthOf(this.#sent) - lengthOf(own + behind));
    if (place >= 1) error.position = String(place);
  }

  /** The error for the caller: when PostgreSQL has not answered a COMMIT, that its outcome is unknown. */
  explain(error: Error): Error {
    return leavesCommitOpen(error, this.text, this.#lease.client.standardStrings)
      ? new CommitOutcomeUnknownError({ cause: error })
      : error;
  }
}

/** In characters, as PostgreSQL counts them. */
function lengthOf(text: string): number {
  let length = 0;
  for (const _character of text) length++;
  return length;
}
