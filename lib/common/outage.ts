import { TenancyUnavailableError } from './tenancy.errors';

/** Error codes of Node's sockets and resolver when the server cannot be reached. */
const SYSTEM_CODES = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

const TOO_MANY_CONNECTIONS = '53300';

/**
 * SQLSTATEs that say the server is going, coming or full: admin_shutdown, crash_shutdown, cannot_connect_now,
 * idle_session_timeout, too_many_connections. Class 08 (connection exceptions) counts as a whole, but for 08P01.
 */
const SQL_STATES = new Set(['57P01', '57P02', '57P03', '57P05', TOO_MANY_CONNECTIONS]);

/** 08P01: a malformed message of ours when it is an ERROR; how PgBouncer refuses a connection when it is FATAL. */
const PROTOCOL_VIOLATION = '08P01';

/** Messages of pg, pg-pool and TypeORM that have no error code. */
const MESSAGES = [
  /^Connection terminated/,
  /^timeout exceeded when trying to connect$/,
  /^timeout expired$/,
  /^Client (?:has encountered a connection error|was closed) and is not queryable$/,
  /^Cannot use a pool after calling end on the pool$/,
  /^Driver not Connected$/,
];

/**
 * Whether an error of the database driver says that the database cannot be reached or has no free connection, as
 * opposed to an answer to a statement. Looks into TypeORM's `driverError`, into causes, and into the several addresses
 * of one host (`AggregateError`).
 */
export function isOutage(error: unknown): boolean {
  return [...withInnerErrors(error)].some(saysOutage);
}

/** Whether PostgreSQL is there, and has no free connection. */
export function isFull(error: unknown): boolean {
  return [...withInnerErrors(error)].some(({ code }) => code === TOO_MANY_CONNECTIONS);
}

/** An outage as what callers are told of it, with the error as its cause; any other error as it came. */
export function orUnavailable<Thrown>(what: string, error: Thrown): Thrown | TenancyUnavailableError {
  return isOutage(error) ? new TenancyUnavailableError(what, { cause: error }) : error;
}

/** The error inside of `error` that says so; `undefined` when none does. */
export function outageIn(error: unknown): unknown {
  return [...withInnerErrors(error)].findLast(saysOutage);
}

interface DriverError {
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly code?: unknown;
  readonly severity?: unknown;
  readonly syscall?: unknown;
  readonly driverError?: unknown;
  readonly errors?: unknown;
}

function saysOutage(error: DriverError): boolean {
  if (error instanceof TenancyUnavailableError) return true;
  const { code, message, severity, syscall } = error;
  if (typeof code !== 'string')
    return typeof message === 'string' && MESSAGES.some((known) => known.test(message));
  if (code === PROTOCOL_VIOLATION) return severity === 'FATAL';
  // A Unix socket is a file, which is there as long as the server runs.
  if (code === 'ENOENT') return syscall === 'connect';
  return SYSTEM_CODES.has(code) || SQL_STATES.has(code) || /^08[0-9A-Z]{3}$/.test(code);
}

function withInnerErrors(error: unknown, seen = new Set<DriverError>()): Set<DriverError> {
  // Not instanceof: an error of Node's own is no `Error` of a vm context, which is where Jest runs its tests.
  if (typeof error !== 'object' || error === null || seen.has(error)) return seen;
  const { cause, driverError, errors } = error as DriverError;
  seen.add(error);
  const inner: unknown[] = [cause, driverError, ...(Array.isArray(errors) ? (errors as unknown[]) : [])];
  for (const each of inner) withInnerErrors(each, seen);
  return seen;
}
