import { HttpStatus } from '@nestjs/common';
import { inRemedy } from '../common/sql';
import { StartError } from '../common/start.errors';
import type { DatabaseLogin } from './typeorm/database-login';

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

/** Entities name a schema, so all tenants would share what is in it. Thrown at start. */
export class EntityNamesSchemaError extends StartError {
  readonly code = 'ENTITY_NAMES_SCHEMA';
  declare readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `Entities name a schema or a database, so every tenant would read and write the same rows:\n${problems.map((each) => `- ${each}`).join('\n')}\n` +
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

  constructor({ address, database, origin }: DatabaseLogin, option = 'database.directUrl') {
    super(
      `${option} leads to the database "${database}" at ${address}, which is another one than the registry's, or a replica ` +
        `of it, so this instance would hear of no changed tenant. Correct ${origin}: it must name the same database of the same ` +
        'server, around the pooler. Without a pooler leave it out.',
    );
  }
}

/** With `roles`, those who own the schemas and those who use them log in at different databases. Nothing was written. */
export class AdminUrlElsewhereError extends StartError {
  readonly code = 'ADMIN_URL_ELSEWHERE';

  constructor(admin: DatabaseLogin, login: DatabaseLogin, options = 'database') {
    super(
      `${options}.adminUrl leads to the database "${admin.database}" at ${admin.address}, and ${options}.url to "${login.database}" at ` +
        `${login.address}, which is another one, or a replica of it: tenants would be made where no request finds them. Correct ` +
        `${admin.origin} or ${login.origin}: they must name the same database, for two roles.`,
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
