import { HttpStatus } from '@nestjs/common';
import type { FieldError } from '../common/tenancy.errors';
import { StartError } from '../common/tenancy.errors';
import type { DatabaseLogin } from '../connection/typeorm/database-login';

/** The module was given options it cannot work with. Thrown at start, with every bad option named. */
export class InvalidTenancyOptionsError extends StartError {
  readonly code = 'TENANCY_OPTIONS_INVALID';
  declare readonly problems: readonly FieldError[];

  constructor(problems: readonly FieldError[]) {
    super(
      `TenancyModule cannot start:\n${problems.map(({ field, message }) => `- ${field} ${message}`).join('\n')}`,
      { details: { problems } },
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

function remedyFor(code: string | undefined, message: string, { database, origin }: DatabaseLogin): string {
  if (code === '28P01') return `Correct the user or the password in ${origin}.`;
  if (code === '3D000') return `Make it (CREATE DATABASE "${database}"), or correct its name in ${origin}.`;
  if (code === '42501') return `Grant CONNECT on it to that user, or correct ${origin}.`;
  if (message.startsWith('SASL: ')) return `Give a password in ${origin}, or in PGPASSWORD.`;
  if (code === undefined || !/^\d/.test(code))
    return `database.ssl says how to connect; the server is that of ${origin}.`;
  return `Correct ${origin}, or let that user in (pg_hba.conf).`;
}
