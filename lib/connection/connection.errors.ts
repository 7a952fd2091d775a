import { HttpStatus } from '@nestjs/common';
import { DatabaseError } from 'pg';
import { TenancyError, TransactionRolledBackError, TRY_AGAIN_SOON } from '../common/tenancy.errors';

/** A connection that was checked out for one tenant was used for another. Nothing was sent. */
export class TenantContextMismatchError extends TenancyError {
  readonly code = 'TENANT_CONTEXT_MISMATCH';

  constructor(holder: string, caller: string) {
    super(
      `This connection was checked out for ${holder}, but the calling code runs for ${caller}. A QueryRunner, EntityManager or client ` +
        'taken inside one TenantContext.run() must not be used inside another: take one inside each.',
    );
  }
}

/** A client was used after its release. Nothing was sent: the connection may already work for somebody else. */
export class LeaseEndedError extends TenancyError {
  readonly code = 'LEASE_ENDED';

  constructor() {
    super('This client was released. Take another from the pool; do not keep a client beyond release().');
  }
}

/** A session held what other work had left in it, and could not be emptied. Nothing was run. */
export class SessionNotCleanError extends TenancyError {
  readonly code = 'SESSION_NOT_CLEAN';
  override readonly statusCode = HttpStatus.SERVICE_UNAVAILABLE;
  override readonly headers = TRY_AGAIN_SOON;

  constructor(options?: { cause?: unknown }) {
    super(
      'The database session still holds what other work has left in it (temporary tables, or a search_path), and could not be ' +
        'emptied, so nothing was run. Try again shortly.',
      options,
    );
  }
}

/** The tenant's schema is not there, or its role may not use it. Nothing was run. */
export class TenantSchemaMissingError extends TenancyError {
  readonly code = 'TENANT_SCHEMA_MISSING';
  override readonly statusCode = HttpStatus.SERVICE_UNAVAILABLE;

  /** The cause names the schema. */
  constructor(options?: { cause?: unknown }) {
    super(
      'The schema of this tenant is not in the database, or its role may not use it, so nothing was run: PostgreSQL would have used ' +
        'the shared schemas in its place, or made temporary tables. Bring it back, GRANT USAGE, or purge the tenant. "tenancy doctor" names such tenants.',
      options,
    );
  }
}

/**
 * Whether the error is an answer of PostgreSQL, as it is or wrapped by us. Then the outcome of the statement is known.
 */
export function isAnswer(error: Error): boolean {
  return [DatabaseError, TransactionRolledBackError, SessionNotCleanError, TenantSchemaMissingError].some(
    (each) => error instanceof each,
  );
}

/** Why a shared transaction was rolled back. */
export type DoomedBy = 'rollback' | 'failure' | 'open part' | 'open stream' | 'late' | 'savepoint' | 'end';

/** What happened, and what to do about it. */
const DOOMED: Readonly<Record<DoomedBy, string>> = {
  rollback:
    'A part of the transaction that this code shares was rolled back. Let the error of that part reach the end of the ' +
    'transaction, or run the part outside of it: context.run(tenant, () => connection.transaction(...)).',
  failure:
    'A statement of the transaction that this code shares failed, and its error was caught or not awaited, so it was rolled ' +
    'back. Await each statement and let its error reach the end of the transaction, or put the part that may fail into a savepoint.',
  'open part':
    'An inner transaction (connection.transaction(), TenantTransactions.run(), BEGIN) was still open when the work of the ' +
    'outer one had ended, so all of it was rolled back. Await each inner one.',
  'open stream':
    'A cursor, a stream or a COPY was still open when the work of the shared transaction had ended, so all of it was rolled ' +
    'back. Read it to its end, or close it, before the work ends.',
  late:
    'Something was asked of the shared transaction after its work had ended, so all of it was rolled back. Await all that the ' +
    'work starts, or run what does not belong to it outside: context.run(tenant, work).',
  savepoint:
    'A savepoint of the shared transaction was rolled back, and with it what other parts had done meanwhile, so all of it was ' +
    'rolled back. Do not run other parts beside one that uses savepoints.',
  end: 'Something ended the shared transaction before its work had ended, so what came before and what came after may be kept.',
};

/** A shared transaction was rolled back (unless something has ended it from within). `by` tells why. */
export class TransactionDoomedError extends TenancyError {
  readonly code = 'TRANSACTION_DOOMED';

  constructor(
    readonly by: DoomedBy,
    options?: { cause?: unknown },
  ) {
    super(DOOMED[by], options);
  }
}

/** A shared transaction was asked for something after its work had ended. Nothing was sent. */
export class TransactionOverError extends TenancyError {
  readonly code = 'TRANSACTION_OVER';

  constructor() {
    super(
      'The work of the shared transaction (TenantTransactions, @TenantTransaction()) that this code belongs to has ended, so this ' +
        'was not sent. Await it inside the work, or run it outside of the transaction: context.run(tenant, work).',
    );
  }
}

/** A text would have ended a transaction that other code shares, or that carries the tenant. Nothing was sent. */
export class TransactionCommandError extends TenancyError {
  readonly code = 'TRANSACTION_COMMAND_REFUSED';

  constructor() {
    super(
      'A text that begins or ends a transaction among other statements, with AND CHAIN, or with PREPARE TRANSACTION, ' +
        'cannot be sent inside a shared transaction (TenantTransactions, @TenantTransaction()), nor by a query object such as ' +
        'a COPY stream or new Query(), which may hold no command of savepoints there either. Send each command by itself: client.query(text).',
    );
  }
}

/**
 * The statements of a text cannot be told apart, so one of them may end a transaction that other code shares. Nothing
 * was sent.
 */
export class UnreadableTextError extends TenancyError {
  readonly code = 'SQL_UNREADABLE';

  constructor() {
    super(
      'A quote, a comment, a parenthesis or a BEGIN ATOMIC body in this text does not end, or a query object does not tell its ' +
        'text, so it is not known whether it ends the transaction. It cannot be sent inside a shared transaction ' +
        '(TenantTransactions, @TenantTransaction()), nor by a query object such as a COPY stream. Where client_encoding ' +
        'is not UTF8 such a text may hold ASCII characters only.',
    );
  }
}

/** A text that may only read begins or ends a transaction, or resets a setting. */
export class ReadOnlyTextError extends TenancyError {
  readonly code = 'READ_ONLY_TEXT_REFUSED';

  constructor() {
    super(
      'A text that holds RESET, or begins or ends a transaction, cannot be run in a read-only transaction.',
    );
  }
}

/** A question to all tenants is not one statement that reads. None of them was asked. */
export class FleetTextError extends TenancyError {
  readonly code = 'FLEET_TEXT_REFUSED';

  /** @param what is wrong with the text: "has 2 statements" */
  constructor(what: string) {
    super(
      `All tenants are asked one statement that reads: SELECT, VALUES, TABLE, WITH, SHOW or EXPLAIN. This text ${what}.`,
    );
  }
}

/** A query names an entity that the tenants' data source does not know. */
export class EntityUnknownError extends TenancyError {
  readonly code = 'ENTITY_NOT_LISTED';

  constructor(name: string, options?: { cause?: unknown }) {
    super(
      `${name} is not among the entities of TenancyModule.forRoot(): add it there. All entities of tenants are listed in that one ` +
        'place; ask another data source for its own entities.',
      options,
    );
  }
}

/** The connection was lost, or a timeout ran out, while a COMMIT was under way. */
export class CommitOutcomeUnknownError extends TenancyError {
  readonly code = 'COMMIT_OUTCOME_UNKNOWN';
  override readonly statusCode = HttpStatus.SERVICE_UNAVAILABLE;

  constructor(options?: { cause?: unknown }) {
    super(
      'No answer came to a COMMIT that was sent, so it is not known whether the transaction was kept: all of it, or nothing. ' +
        'Look before you do it again.',
      options,
    );
  }
}

/** A statement took longer than the tenant's `statementTimeoutMs`. PostgreSQL has cancelled it. */
export class StatementTimeoutError extends TenancyError {
  readonly code = 'STATEMENT_TIMEOUT';
  override readonly statusCode = HttpStatus.GATEWAY_TIMEOUT;

  constructor(
    readonly limitMs: number,
    options?: { cause?: unknown },
  ) {
    super(`A statement was cancelled because it took longer than ${limitMs} ms.`, options);
  }
}

/** A statement waited for a lock longer than the tenant's `lockTimeoutMs`. PostgreSQL has cancelled it. */
export class LockTimeoutError extends TenancyError {
  readonly code = 'LOCK_TIMEOUT';
  override readonly statusCode = HttpStatus.SERVICE_UNAVAILABLE;
  override readonly headers = TRY_AGAIN_SOON;

  constructor(
    readonly limitMs: number,
    options?: { cause?: unknown },
  ) {
    super(`A statement was cancelled because it waited for a lock longer than ${limitMs} ms.`, options);
  }
}

/** PostgreSQL has rolled a transaction back and closed its connection, because nothing was sent in it for too long. */
export class IdleTransactionError extends TenancyError {
  readonly code = 'TRANSACTION_IDLE';

  constructor(options?: { cause?: unknown }) {
    super(
      'The transaction was rolled back because nothing was sent in it for longer than idleInTransactionTimeoutMs. ' +
        'Do slow work, such as calls to other services, before it begins or after it has ended.',
      options,
    );
  }
}
