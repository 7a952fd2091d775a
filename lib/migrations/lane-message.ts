import type { QueryResult } from 'pg';
import type { Logger } from 'typeorm';
import type { Lease } from '../connection/pool/lease';
import type { Answered } from '../connection/protocol/rider';

/** Tells of the path what the check of the place tells, in a fifth of the time. */
const SHOW_PATH = 'SHOW search_path';

/** Values that hold for a transaction, by the names of PostgreSQL's parameters. */
export type Parameters = Readonly<Record<string, string>>;

/** What is sent at once: statements of ours, and behind them perhaps a migration's first one. */
export interface LaneMessage {
  /** For a transaction with the tenant's own parameters. */
  readonly ours: (own: Parameters) => readonly string[];
  readonly first?: string;
}

/** What came back from a migration's first statement. */
export interface Answer {
  readonly result: QueryResult;
  /** Whether the path was still the tenant's behind it. */
  readonly isInPlace: boolean;
}

/** How many statements of a message stand behind ours. From PostgreSQL 18 on the server tells of the path by itself. */
export function countBehind(lease: Lease, first: string | undefined): number {
  if (first === undefined) return 0;
  return lease.client.path === undefined ? 2 : 1;
}

/** Resolves with nothing when no migration's statement is in it. */
export async function sendMessage(
  lease: Lease,
  { ours, first }: LaneMessage,
  logger: Logger,
): Promise<Answer | undefined> {
  const count = countBehind(lease, first);
  let path: string | undefined;
  const answer = await lease.send(({ values }) => {
    path = values.search_path;
    const statements = ours(values);
    const text = statements.join('; ');
    // TypeORM logs the first statement itself.
    logger.logQuery(text);
    const answers = statements.map((): Answered => 'unread');
    if (first === undefined) {
      // The last one tells whether all went well.
      answers[answers.length - 1] = 'own';
      return { text, answers, own: '', behind: '' };
    }
    answers.push('own');
    if (count === 1) return { text: `${text}; ${first}`, answers, own: first, behind: '' };
    answers.push('own');
    // On a line of its own, lest a comment at the statement's end swallows it.
    const behind = `\n;${SHOW_PATH}`;
    return { text: `${text}; ${first}${behind}`, answers, own: first, behind };
  });
  if (first === undefined) return undefined;
  // pg gives one result for one statement, and a list for several.
  const [result, shown] = [answer].flat();
  const found = shown ? (shown.rows[0] as { search_path: string }).search_path : lease.client.path;
  return { result, isInPlace: found === path };
}

/** The first error tells why. A connection that cannot roll back is destroyed when it is released. */
export async function rollBack(lease: Lease): Promise<void> {
  await lease.handle.query('ROLLBACK').catch(() => undefined);
  lease.release();
}
