import { type CarriedText, leavesCommitOpen, takesSnapshot } from './transaction-text';
import { CommitOutcomeUnknownError, isAnswer } from '../connection.errors';
import { ForeignQuery, type Submittable, beginsTransaction, foreignTextRefusal } from './foreign-query';
import type { WireConnection } from './pg-internals';
import type { Answered } from './rider';
import type { TransactionParameters } from './transaction-parameters';

/**
 * `bare`: in a transaction of the caller's, whose end is the caller's too. `check`: there, when it is the first to need
 * the tenant's schema.
 */
type Phase = 'begin' | 'inside' | 'check' | 'bare' | 'commit' | 'rollback';

/**
 * Anything else, such as COPY: it runs inside a transaction of ours that has the parameters, for three round trips. To
 * pg it is one query that is queued again for each phase.
 *
 * It hears that it is done only after the COMMIT, since a deferred constraint may yet refuse what it wrote.
 */
export class WrappedQuery extends ForeignQuery {
  #phase: Phase = 'begin';

  override get text(): unknown {
    return this.isHeard() ? this.inner.text : this.#phase;
  }

  override submit(connection: WireConnection): Error | null | undefined {
    this.#takeOffName();
    const refusal = this.lease.refusal(this.inner.text);
    if (refusal) return refusal;
    if (this.#phase === 'begin') return this.#begin(connection);
    if (this.#phase === 'inside' || this.#phase === 'bare') return this.inner.submit(connection);
    connection.query(this.#phase);
    return null;
  }

  /**
   * A `pg.Query` would be prepared under its name, and pg would run what has that name from then on, though the query in its
   * queue is this one: another tenant's function may have put something else there.
   */
  #takeOffName(): void {
    const inner = this.inner as Submittable & { name?: string };
    if (!('hasBeenParsed' in inner) || inner.name === undefined) return;
    inner.text = this.lease.client.textOf(inner);
    inner.name = undefined;
  }

  #begin(connection: WireConnection): Error | null | undefined {
    const { client, parameters } = this.lease;
    const refusal = foreignTextRefusal(this.inner.text, client.standardStrings);
    if (refusal) return refusal;
    const check = takesSnapshot(this.inner.text) ? parameters.schemaCheck?.command : undefined;
    if (!client.inTransaction()) {
      client.sendCarried(beginText(parameters, check), parameters);
      return null;
    }
    if (check !== undefined && client.owesCheck(parameters)) {
      this.#phase = 'check';
      client.sendCarried({ text: check, answers: ['check'] }, parameters);
      return null;
    }
    this.#phase = 'bare';
    return this.inner.submit(connection);
  }

  override handleReadyForQuery(connection: WireConnection): void {
    if (this.#phase === 'begin') this.#again('inside');
    else if (this.#phase === 'check') this.#again('bare');
    else if (this.#phase === 'inside' && !this.#isBegin()) this.#again('commit');
    else if (this.#phase !== 'rollback') this.inner.handleReadyForQuery?.(connection);
  }

  /** Whether the text begins a transaction of the caller's, which then gets the parameters. */
  #isBegin(): boolean {
    return beginsTransaction(this.inner.text, this.lease.client.standardStrings);
  }

  override handleError(error: Error, connection: WireConnection): void {
    const told = this.lease.heed(error);
    if (this.#phase === 'rollback') return;
    // A COPY reads the socket in pg's place. An error that pg told it of, since it came in one piece with the answer
    // before, ends it without giving the socket back: later data would reach an object that is already taken apart.
    if (connection.stream.listenerCount('data') === 0) connection.stream.destroy();
    const isOpen = leavesCommitOpen(error, this.text, this.lease.client.standardStrings);
    const hasBegun = this.#phase === 'inside' || (this.#phase === 'begin' && isAnswer(error));
    if (hasBegun) this.#again('rollback');
    this.inner.handleError(isOpen ? new CommitOutcomeUnknownError({ cause: told }) : told, connection);
  }

  /** pg takes the front of its queue when ReadyForQuery has come. */
  #again(phase: Phase): void {
    this.#phase = phase;
    this.lease.client._queryQueue.unshift(this);
  }

  protected override isHeard(): boolean {
    return this.#phase === 'inside' || this.#phase === 'bare';
  }
}

function beginText(parameters: TransactionParameters, check: string | undefined): CarriedText {
  const begin = ['BEGIN', ...parameters.commands];
  const answers = Array<Answered>(begin.length).fill('parameter');
  return check === undefined
    ? { text: begin.join('; '), answers }
    : { text: [...begin, check].join('; '), answers: [...answers, 'check'] };
}
