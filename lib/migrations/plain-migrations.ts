import type { DataSource, QueryRunner } from 'typeorm';
import { splitStatements } from '../common/split-statements';
import { leavesSessionState } from '../connection/protocol/session-state';
import type { NamedMigration } from '../provisioning/template/named-migrations';
import type { RunDirection } from './migration-runs';

/** Commands that give no rows, whatever they find. */
const GIVE_NOTHING: ReadonlySet<string> = new Set(['alter', 'comment', 'create', 'drop', 'grant', 'revoke']);

/** Of statements that are longer nobody looks what they are. */
const MAX_LENGTH = 100_000;
/** So many statements are remembered. */
const MAX_KNOWN = 100;

/**
 * The command of a statement that gives nothing, and leaves nothing in the session; `undefined` for any other text. As it is
 * read with `standard_conforming_strings`.
 */
function plainCommand(text: string): string | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const statements = splitStatements(text);
  const [first] = statements?.length === 1 ? statements[0].head : [];
  return first?.kind === 'word' && GIVE_NOTHING.has(first.value) && !leavesSessionState(text)
    ? first.value
    : undefined;
}

/**
 * Watches what a migration asks of its query runner: whether it is statements and nothing else, one right after the other.
 * One that waits for something else in between is not plain, for it does more than its statements tell.
 */
export class PlainWatch {
  #texts: string[] | undefined = [];
  #waiting = 0;
  #isOver = false;

  /** What it has sent, if that is all that it has done. */
  get texts(): readonly string[] | undefined {
    return this.#texts;
  }

  /** It has done something that is not plain. */
  spoil(): void {
    this.#texts = undefined;
  }

  run<T>(migration: () => Promise<T>): Promise<T> {
    this.#expectMore();
    return migration().finally(() => (this.#isOver = true));
  }

  async ask<T>(text: string, isBare: boolean, ask: () => Promise<T>): Promise<T> {
    if (isBare) this.#texts?.push(text);
    else this.spoil();
    this.#waiting++;
    try {
      return await ask();
    } catch (error) {
      this.spoil();
      throw error;
    } finally {
      this.#waiting--;
      this.#expectMore();
    }
  }

  /** Node comes to this when all has run that waits for nothing. */
  #expectMore(): void {
    if (this.#texts) setImmediate(() => (this.#waiting > 0 || this.#isOver ? undefined : this.spoil()));
  }
}

/** Whether `query` was given nothing but a text. */
export function isBare([parameters, isStructured]: readonly unknown[]): boolean {
  return (
    !isStructured && (parameters === undefined || (Array.isArray(parameters) && parameters.length === 0))
  );
}

/** Thrown inside of a migration that does not do what it did before. */
class NotPlainError extends Error {}

/**
 * Migrations of the lanes on one server that have been seen to send a few statements whose answers are known before, such as ALTER TABLE,
 * and to do nothing else. What one of them sends for another tenant can be told without asking PostgreSQL.
 *
 * Only statements that have run before, letter by letter: so PostgreSQL can read them, and they leave the path as it is.
 */
export class PlainMigrations {
  readonly #plain = new Set<NamedMigration>();
  /** Their commands, by the texts of the statements. */
  readonly #commands = new Map<string, string>();

  get isEmpty(): boolean {
    return this.#plain.size === 0;
  }

  has(migration: NamedMigration): boolean {
    return this.#plain.has(migration);
  }

  /** A migration has run and is committed. @param texts what it has sent, if it was plain */
  note(migration: NamedMigration, texts: readonly string[] | undefined): void {
    if (this.#plain.has(migration) || !texts || this.#commands.size + texts.length > MAX_KNOWN) return;
    const commands = texts.map(plainCommand);
    if (commands.includes(undefined)) return;
    for (const [i, text] of texts.entries()) this.#commands.set(text, commands[i]!.toUpperCase());
    this.#plain.add(migration);
  }

  /**
   * Runs a migration on a query runner that sends nothing. What it would send, or `undefined` when that cannot be told: it is
   * then to be run by itself, from its beginning.
   */
  async foresee(
    named: NamedMigration,
    direction: RunDirection,
    dataSource: DataSource,
  ): Promise<readonly string[] | undefined> {
    const texts: string[] = [];
    let isPlain = true;
    const refuse = (): never => {
      isPlain = false;
      throw new NotPlainError();
    };
    const answer = (text: string): PlainAnswer => {
      const command = this.#commands.get(text) ?? refuse();
      texts.push(text);
      return { command, rowCount: null, rows: [], fields: [] };
    };
    const queryRunner = queryRunnerOf(dataSource, answer, refuse);
    const late = setImmediate(refuseLater);
    function refuseLater(): void {
      isPlain = false;
    }
    try {
      await named.migration[direction](queryRunner);
    } catch {
      isPlain = false;
    }
    clearImmediate(late);
    if (queryRunner.isReleased) isPlain = false;
    else await queryRunner.release();
    if (!isPlain) this.#plain.delete(named);
    return isPlain ? texts : undefined;
  }
}

/** What PostgreSQL answers to a statement that gives nothing. */
interface PlainAnswer {
  readonly command: string;
  readonly rowCount: null;
  readonly rows: [];
  readonly fields: [];
}

/**
 * A query runner that has no connection: what would be sent is answered by `answer`, and what is not a text alone by `refuse`.
 */
function queryRunnerOf(
  dataSource: DataSource,
  answer: (text: string) => PlainAnswer,
  refuse: () => never,
): QueryRunner {
  const queryRunner = dataSource.createQueryRunner();
  const query = queryRunner.query.bind(queryRunner);
  // Subscribers may be told of statements. Without them, what TypeORM does besides takes longer than the migration.
  const isDirect = dataSource.subscribers.length === 0;
  const carrier = { query: (text: string) => Promise.resolve(answer(text)) };
  let isAsking = false;
  queryRunner.query = (async (text: string, ...rest: unknown[]): Promise<unknown> => {
    if (!isBare(rest)) return refuse();
    if (isDirect && !queryRunner.isReleased) {
      dataSource.logger.logQuery(text, undefined, queryRunner);
      return answer(text).rows;
    }
    isAsking = true;
    // TypeORM asks for the connection at once.
    const asked = query(text);
    isAsking = false;
    return asked;
  }) as QueryRunner['query'];
  queryRunner.connect = (() =>
    isAsking ? Promise.resolve(carrier) : Promise.resolve().then(refuse)) as never;
  return queryRunner;
}
