import { Logger } from '@nestjs/common';
import { Client, type ClientBase, type ClientConfig, type Pool, type QueryConfig } from 'pg';
import { UnsafeSessionError, UnsupportedStartupParameterError } from '../connection-start.errors';

/** What was found out about the sessions that a pool's connections lead to. */
export interface SessionReport {
  /**
   * What stands between us and PostgreSQL: nothing, a pooler that keeps a session for its client, or one that gives it
   * to another after each transaction. `unknown`: a pooler of which that could not be told; take it for the last.
   */
  readonly pooler: 'none' | 'session' | 'transaction' | 'unknown';
  /** What a session begins with, as PostgreSQL writes it. */
  readonly searchPath: string;
  readonly sessionPathIsEmpty: boolean;
  /** Whether LISTEN, session locks and whatever else needs a session of its own must go around the pooler. */
  readonly directUrlNeeded: boolean;
}

/** What the first look at a server has found out. */
export interface CheckedServer extends Pick<SessionReport, 'pooler'> {
  /** Which database of which server it is. `undefined` where that is not known. */
  readonly mark?: string;
}

/**
 * Which of two clients asks. A pooler that gives out its sessions in turn shows it when one client asks twice, one that
 * gives out the latest first when the other asks then.
 */
const TURNS = [0, 0, 1, 0, 1, 1] as const;

/** A pooler without a free session lets its clients wait: two minutes by default. */
const ANSWER_TIMEOUT_MS = 2_000;

/** One round trip when no pooler is found; else two connections and up to six round trips more. */
export async function probeSession(pool: Pool): Promise<SessionReport> {
  const client = await pool.connect();
  const answer = await askOnce(client).finally(() => client.release());
  return reportOf(answer, pool.options);
}

async function reportOf({ searchPath, isPooled }: Answer, options: ClientConfig): Promise<SessionReport> {
  const pooler = isPooled ? await findPooler(options) : 'none';
  return {
    pooler,
    searchPath,
    sessionPathIsEmpty: isEmptyPath(searchPath),
    directUrlNeeded: pooler === 'transaction' || pooler === 'unknown',
  };
}

/** The same of the way that these options lead, outside of any pool. One round trip when no pooler is found. */
export async function probeWay(options: ClientConfig): Promise<SessionReport['pooler']> {
  const client = probeClient(options);
  let isPooled: boolean;
  try {
    await client.connect();
    isPooled = await isServedByAnother(client);
  } finally {
    await client.end().catch(() => undefined);
  }
  return isPooled ? findPooler(options) : 'none';
}

/** A pooler makes up the process id it greets its clients with: it cannot know yet which session they will get. */
export async function isServedByAnother(client: Client, answerTimeoutMs?: number): Promise<boolean> {
  const { rows } = await client.query<{ pid: number }>({
    text: 'SELECT pg_catalog.pg_backend_pid() AS pid',
    query_timeout: answerTimeoutMs,
  } as QueryConfig);
  const { processID } = client as unknown as { processID: number | null };
  return processID !== rows[0].pid;
}

/**
 * Fails a start that would not be safe, and warns of one that would lack something.
 *
 * @throws UnsafeSessionError when sessions do not begin with an empty path
 */
export async function checkSession(pool: Pool, directUrl?: string): Promise<SessionReport> {
  const report = await probeSession(pool);
  requireOwnPath(report, directUrl, 'database');
  return report;
}

/** The same of a server that these options lead to, outside of any pool. `option` is what its URLs are options of. */
export async function checkServerSession(
  options: ClientConfig,
  directUrl: string | undefined,
  option: string,
): Promise<SessionReport> {
  const client = probeClient(options, options.query_timeout);
  try {
    await client.connect();
    const report = await reportOf(await askOnce(client), options);
    requireOwnPath(report, directUrl, option);
    return report;
  } catch (error) {
    throw explainRefusal(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function requireOwnPath(
  { pooler, sessionPathIsEmpty, searchPath, directUrlNeeded }: SessionReport,
  directUrl: string | undefined,
  option: string,
): void {
  if (!sessionPathIsEmpty) throw new UnsafeSessionError(searchPath);
  if (directUrlNeeded && directUrl === undefined)
    warnOfSharedSessions('A pooler stands before PostgreSQL', pooler, `${option}.directUrl is not set`);
}

/** `which` begins the sentence, with the pooler; `why` says of directUrl that it does not help. */
export function warnOfSharedSessions(which: string, pooler: SessionReport['pooler'], why: string): void {
  new Logger('Tenancy').warn(
    `${which} that ${pooler === 'unknown' ? 'may share' : 'shares'} sessions between transactions, and ${why}. Tenants are ` +
      'served and kept apart, but what needs a session of its own cannot work: LISTEN, so instances do not tell each other ' +
      'of changed tenants and look-ups are remembered for a moment only; migrations with transaction = false; session ' +
      'locks. Set database.directUrl (TENANCY_DIRECT_URL) to a URL that leads to PostgreSQL itself.',
  );
}

/** What to throw for an error of the first connection: a pooler's refusal of our start-up options, in clear words. */
export function explainRefusal(error: unknown): unknown {
  // TypeORM and our pool put errors into errors.
  for (let each = error; each instanceof Error; each = each.cause) {
    if (/unsupported startup parameter/i.test(each.message)) {
      return new UnsupportedStartupParameterError(each.message);
    }
  }
  return error;
}

/**
 * See `isServedByAnother`, in the same round trip. The path is that which the session began with, whatever the statement
 * carries and whatever was set in the session since.
 */
async function askOnce(client: ClientBase): Promise<Answer> {
  const { rows } = await client.query<{ path: string; pid: number }>(
    `SELECT reset_val AS path, pg_catalog.pg_backend_pid() AS pid FROM pg_catalog.pg_settings WHERE name = 'search_path'`,
  );
  const { processID } = client as unknown as { processID: number | null };
  return { searchPath: rows[0].path, isPooled: processID !== rows[0].pid };
}

interface Answer {
  readonly searchPath: string;
  readonly isPooled: boolean;
}

/**
 * What kind of pooler it is that was found there.
 *
 * Sessions are shared when one client is served by two, or two clients, both connected, by one. That proves it; never
 * seeing it in six answers is what `session` rests on.
 */
export async function findPooler(options: ClientConfig): Promise<SessionReport['pooler']> {
  const clients = [probeClient(options), probeClient(options)] as const;
  const sessions: [number?, number?] = [];
  try {
    await Promise.all(clients.map((client) => client.connect()));
    for (const turn of TURNS) {
      const { rows } = await clients[turn].query<{ pid: number }>(
        'SELECT pg_catalog.pg_backend_pid() AS pid',
      );
      const [{ pid }] = rows;
      sessions[turn] ??= pid;
      if (pid !== sessions[turn] || pid === sessions[1 - turn]) return 'transaction';
    }
    return 'session';
  } catch {
    // No second connection, or no answer: nothing that would keep the tenants from being served.
    return 'unknown';
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

/** A connection outside the pool, because the pool may have only one. */
function probeClient(options: ClientConfig, timeoutMs = ANSWER_TIMEOUT_MS): Client {
  const client = new Client({
    ...options,
    // pg hides it from being copied.
    password: options.password,
    query_timeout: timeoutMs,
    connectionTimeoutMillis: timeoutMs,
  });
  // A connection that breaks fails the query on it, and that error is the one to report.
  client.on('error', () => {});
  return client;
}

/**
 * Whether a search_path, as PostgreSQL writes it, names no schema. `ALTER ROLE … SET search_path = ''` gives sessions
 * the path `""`: one schema of no name, and there can be none.
 */
function isEmptyPath(path: unknown): boolean {
  return path === '' || path === '""';
}
