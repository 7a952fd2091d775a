import { HttpStatus } from '@nestjs/common';
import { DatabaseError } from 'pg';
import { inRemedy } from '../common/sql';
import {
  StartError,
  TenancyError,
  TransactionRolledBackError,
  TRY_AGAIN_SOON,
} from '../common/tenancy.errors';
import type { DatabaseLogin } from './typeorm/database-login';

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

/** A session held what somebody else had left in it, and could not be emptied. Nothing was run. */
export class SessionNotCleanError extends TenancyError {
  readonly code = 'SESSION_NOT_CLEAN';
  override readonly statusCode = HttpStatus.SERVICE_UNAVAILABLE;
  override readonly headers = TRY_AGAIN_SOON;

  constructor(options?: { cause?: unknown }) {
    super(
      'The database session that this work was given holds what other work has left in it (temporary tables, or a search_path), ' +
        'and could not be emptied, so nothing was run. Try again shortly.',
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

/** The session behind the tenants' pool is not the empty one that isolation rests on. */
export class UnsafeSessionError extends StartError {
  readonly code = 'UNSAFE_SESSION';

  constructor(searchPath: string) {
    super(
      `New sessions start with search_path = ${JSON.stringify(searchPath)}, so a statement without a tenant could find tables. ` +
        'The start-up option "-c search_path=" was dropped, as PgBouncer does. Run: ALTER ROLE <the login role> SET search_path = \'\'.',
    );
  }
}

/** A pooler refused the tenants' connections for the start-up options they bring. Waiting does not help. */
export class UnsupportedStartupParameterError extends StartError {
  readonly code = 'UNSUPPORTED_STARTUP_PARAMETER';

  /** Not `cause`: a refused connection counts as an outage when it is a cause, and would be tried again. */
  constructor(refusal: string) {
    super(
      `The pooler before PostgreSQL refuses connections that ask for an empty search_path: ${refusal}. ` +
        'Set "ignore_startup_parameters = extra_float_digits,options" in pgbouncer.ini, so that it drops what it cannot pass on, ' +
        "and give the login role the empty path instead: ALTER ROLE <the login role> SET search_path = ''.",
    );
  }
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
    'transaction that it is a part of had ended, so all of it was rolled back. Await each inner one.',
  'open stream':
    'A cursor, a stream or a COPY was still open when the work of the shared transaction had ended, so all of it was rolled ' +
    'back. Read it to its end, or close it, before the work ends.',
  late:
    'Something was asked of the shared transaction after its work had ended, so all of it was rolled back. Await all that the ' +
    'work starts, or run what is to be no part of it outside: context.run(tenant, work).',
  savepoint:
    'A savepoint of the shared transaction was rolled back, and with it what other parts had done meanwhile, so all of it was ' +
    'rolled back. Do not run other parts beside one that uses savepoints.',
  end: 'Something ended the shared transaction before its work had ended: what came before may be kept, and what came after, too.',
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
        'text, so it cannot be seen whether it ends the transaction. It cannot be sent inside a shared transaction ' +
        '(TenantTransactions, @TenantTransaction()), nor by a query object such as a COPY stream. Where client_encoding ' +
        'is not UTF8 no text can be sent that has other characters than those of ASCII.',
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

/** Entities name a schema, so all tenants would share what is in it. Thrown at start. */
export class EntitySchemaError extends StartError {
  readonly code = 'ENTITY_NAMES_SCHEMA';
  declare readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `Entities say where they are, so every tenant would read and write the same rows:\n${problems.map((each) => `- ${each}`).join('\n')}\n` +
        'Leave the schema and the database out, and each tenant has a table of its own; ' +
        'or name the schema among sharedSchemas, if all tenants are meant to share what is in it.',
      { details: { problems } },
    );
  }
}

/** `forFeature()`, or a relation, names an entity that the tenants' data source does not know. Thrown at start. */
export class EntityNotListedError extends StartError {
  readonly code = 'ENTITY_NOT_LISTED';

  /** `what` names the entity and begins the sentence. */
  constructor(what: string, options?: { cause?: unknown }) {
    super(
      `${what} is not among the entities of TenancyModule.forRoot(): add it there. ` +
        'All entities of tenants are listed in that one place.',
      options,
    );
  }
}

/** A query names an entity that the tenants' data source does not know. */
export class EntityUnknownError extends TenancyError {
  readonly code = 'ENTITY_NOT_LISTED';

  constructor(name: string, options?: { cause?: unknown }) {
    super(
      `${name} is not among the entities of TenancyModule.forRoot(): add it there. All entities of tenants are listed in that one ` +
        'place; those of another data source are asked for there.',
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

/** A session of its own was needed, and a pooler gives it to others after each transaction. Nothing was run. */
export class OwnSessionRequiredError extends StartError {
  readonly code = 'OWN_SESSION_REQUIRED';

  constructor() {
    super(
      'A migration with transaction = false needs a session of its own, and a pooler stands before PostgreSQL. Set ' +
        'database.directUrl (TENANCY_DIRECT_URL) to a URL that leads to PostgreSQL itself.',
    );
  }
}

/** PostgreSQL did not answer a start, however often it was tried. */
export class DatabaseUnreachableError extends StartError {
  readonly code = 'TENANCY_UNAVAILABLE';
  override readonly statusCode = HttpStatus.SERVICE_UNAVAILABLE;
  /** What happened, without what to do about it. */
  declare readonly happening: string;

  /** `attempt` ends the sentence that says what happened. */
  constructor({ address, origin }: DatabaseLogin, outage: unknown, attempt = '') {
    const { code, message = '' } = (outage ?? {}) as { code?: string; message?: string };
    const answers = /^[0-9A-Z]{5}$/.test(code ?? '');
    const happening = answers
      ? `PostgreSQL at ${address} takes no connection now (${code}: ${message})${attempt}`
      : `PostgreSQL does not answer at ${address} (${code ?? message})${attempt}`;
    const remedy =
      code === '53300'
        ? `End other connections, make database.poolSize smaller or PostgreSQL's limit larger, or correct ${origin}`
        : `${answers ? 'Try again when it does' : 'Start it there'}, or correct ${origin}`;
    super(`${happening}. ${remedy}.`, { cause: outage, details: { happening } });
  }
}

/** The way around the pooler leads somewhere else. */
export class DirectUrlElsewhereError extends StartError {
  readonly code = 'DIRECT_URL_ELSEWHERE';

  constructor({ address, database, origin }: DatabaseLogin) {
    super(
      `database.directUrl leads to the database "${database}" at ${address}, which is not the one of the registry, or a replica of ` +
        `it: this instance would hear of no change of a tenant. Correct ${origin}: it names the same database of the same server, ` +
        'around the pooler; without a pooler leave it out.',
    );
  }
}

/** With `roles`, those who own the schemas and those who use them log in at different databases. Nothing was written. */
export class AdminUrlElsewhereError extends StartError {
  readonly code = 'ADMIN_URL_ELSEWHERE';

  constructor(admin: DatabaseLogin, login: DatabaseLogin) {
    super(
      `database.adminUrl leads to the database "${admin.database}" at ${admin.address}, and database.url to "${login.database}" at ` +
        `${login.address}, which is another one, or a replica of it: tenants would be made where no request finds them. Correct ` +
        `${admin.origin} or ${login.origin}: they name the same database, for two roles.`,
    );
  }
}

/** PostgreSQL is there, and does not let this application in. */
export class DatabaseRefusedError extends StartError {
  readonly code = 'DATABASE_REFUSED';

  constructor(login: DatabaseLogin, cause: Error) {
    const { address, user, database } = login;
    const { code } = cause as { code?: string };
    super(
      `PostgreSQL at ${address} refuses the user "${user}" for the database "${database}": ${cause.message}` +
        `${code === undefined ? '' : ` (${code})`}. ${remedyFor(code, cause.message, login)}`,
      { cause },
    );
  }
}

function remedyFor(
  code: string | undefined,
  message: string,
  { user, database, origin }: DatabaseLogin,
): string {
  if (code === '28P01') return `Correct the user or the password in ${origin}.`;
  if (code === '3D000')
    return `Make it (CREATE DATABASE ${inRemedy(database)}), or correct its name in ${origin}.`;
  if (code === '42501') return `Grant CONNECT on it to that user, or correct ${origin}.`;
  if (message.startsWith('SASL: ')) return `Give a password in ${origin}, or in PGPASSWORD.`;
  if (code === undefined || !/^\d/.test(code))
    return `database.ssl says how to connect; the server is that of ${origin}.`;
  if (message.includes('pg_hba.conf')) return `Correct ${origin}, or let that user in (pg_hba.conf).`;
  if (message.includes('is not permitted to log in'))
    return `Let it log in (ALTER ROLE ${inRemedy(user)} LOGIN), or correct ${origin}.`;
  if (message.includes('is not currently accepting connections'))
    return `Let it (ALTER DATABASE ${inRemedy(database)} ALLOW_CONNECTIONS true), or correct ${origin}.`;
  if (code === '42704' || code === '22023')
    return `Correct what asks for it: the options of ${origin}, of database.extra, or PGOPTIONS.`;
  return `Correct ${origin}.`;
}
