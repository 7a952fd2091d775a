import type { StatementLease } from './tenant-statement';
import type { WireConnection } from './pg-internals';
import { TransactionCommandError, UnreadableTextError } from '../connection.errors';
import { transactionCommands } from './transaction-text';

type Handler = (...args: unknown[]) => void;

/**
 * A query object of the application: anything with `submit`, such as a cursor or a stream. All other methods are
 * optional.
 */
export interface Submittable {
  text?: unknown;
  callback?: unknown;
  query_timeout?: number;
  _result?: unknown;
  submit(connection: WireConnection): Error | null | undefined;
  handleError(error: Error, connection: WireConnection): void;
  handleReadyForQuery?(connection: WireConnection): void;
}

const HANDLERS = [
  'handleRowDescription',
  'handleDataRow',
  'handlePortalSuspended',
  'handleEmptyQuery',
  'handleCommandComplete',
  'handleCopyInResponse',
  'handleCopyData',
] as const;

/** pg-cursor, for one, lacks this method: PostgreSQL and the reader would wait for each other for ever. */
const SENDS_NO_ROWS = 'a cursor, or an object like it, sends no rows: use pg-copy-streams';

/** Stands in pg's queue in place of the application's query object, and passes on what that one should hear. */
export abstract class ForeignQuery {
  constructor(
    protected readonly lease: StatementLease,
    protected readonly inner: Submittable,
  ) {
    const handlers = inner as unknown as Record<string, Handler | undefined>;
    for (const name of HANDLERS) {
      const handle: Handler = (...args) => {
        if (!this.isHeard()) return;
        if (handlers[name]) handlers[name].apply(inner, args);
        else if (name === 'handleCopyInResponse') (args[0] as WireConnection).sendCopyFail(SENDS_NO_ROWS);
      };
      Object.defineProperty(this, name, { value: handle });
    }
  }

  /** The text of the statement that is being answered, if it is known. */
  get text(): unknown {
    return this.inner.text;
  }

  /** pg puts its timeout around it. */
  get callback(): unknown {
    return this.inner.callback;
  }

  set callback(callback: unknown) {
    this.inner.callback = callback;
  }

  get query_timeout(): number | undefined {
    return this.inner.query_timeout;
  }

  /** pg gives it the client's type parsers. */
  get _result(): unknown {
    return this.inner._result;
  }

  abstract submit(connection: WireConnection): Error | null | undefined;
  abstract handleError(error: Error, connection: WireConnection): void;
  abstract handleReadyForQuery(connection: WireConnection): void;
  protected abstract isHeard(): boolean;
}

/**
 * Why a query object with this text may not run where we have set a tenant: what comes behind a command that ends the
 * transaction would run without one. `undefined`: it may.
 */
export function foreignTextRefusal(text: unknown, standardStrings: boolean): Error | undefined {
  if (typeof text !== 'string') return undefined;
  const commands = transactionCommands(text, standardStrings);
  if (!commands) return new UnreadableTextError();
  const hasCommand = commands.some((command) => command !== undefined);
  const isRefused = commands.includes('chain') || (hasCommand && commands.length > 1);
  return isRefused ? new TransactionCommandError() : undefined;
}

/** Whether it begins a transaction that is the caller's to end. */
export function beginsTransaction(text: unknown, standardStrings: boolean): boolean {
  return typeof text === 'string' && transactionCommands(text, standardStrings)?.[0] === 'begin';
}
