import { Logger } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { splitStatements, wordsOf } from '../../common/split-statements';
import { OpenSavepoints, SAVEPOINT_COMMANDS } from './open-savepoints';

const HOOKS = Symbol('nestjs-tenancy commit hooks');

type HookedRunner = QueryRunner & { [HOOKS]?: CommitHooks };

/**
 * What is to be done when the transaction of a QueryRunner has been committed. It is done when the connection has been given
 * back: else it would wait for the one that it holds itself.
 */
export class CommitHooks {
  /** Belongs to the transaction that is open. */
  #waiting: (() => unknown)[] = [];
  /** Belongs to one that was committed. */
  #due: (() => unknown)[] = [];
  #savepoints = this.#savepointsSoFar();

  /** Those of the QueryRunner, which tells them of its transactions from now on. */
  static of(queryRunner: QueryRunner): CommitHooks {
    return ((queryRunner as HookedRunner)[HOOKS] ??= new CommitHooks(queryRunner));
  }

  /** Those of the QueryRunner, if there are any. */
  static find(queryRunner: QueryRunner): CommitHooks | undefined {
    return (queryRunner as HookedRunner)[HOOKS];
  }

  private constructor(queryRunner: HookedRunner) {
    const query = queryRunner.query.bind(queryRunner) as (
      text: string,
      ...rest: unknown[]
    ) => Promise<unknown>;
    const commit = queryRunner.commitTransaction.bind(queryRunner);
    const release = queryRunner.release.bind(queryRunner);
    Object.assign(queryRunner, {
      // Whoever commands a savepoint or a ROLLBACK, TypeORM or code of the application, does it by a text.
      query: (text: string, ...rest: unknown[]) => query(text, ...rest).finally(() => this.#heed(text)),
      commitTransaction: () => commit().then(() => this.#committed(queryRunner.isTransactionActive)),
      release: () => release().then(() => this.#run()),
    });
  }

  get count(): number {
    return this.#waiting.length;
  }

  add(work: () => unknown): void {
    this.#waiting.push(work);
  }

  /** Forgets all but the first `count`: what came after them was undone by a ROLLBACK TO. */
  forgetFrom(count: number): void {
    this.#waiting.length = Math.min(this.#waiting.length, count);
  }

  /** Of a text that failed the beginning may hold. It is taken to hold: nothing may be done that was undone. */
  #heed(text: string): void {
    if (!/\b(?:rollback|abort|savepoint|release)\b/i.test(text)) return;
    for (const { text: statement, head } of splitStatements(text) ?? []) {
      const words = wordsOf(head);
      const [command = ''] = words;
      if (command === 'abort' || (command === 'rollback' && !words.includes('to'))) this.forgetFrom(0);
      else if (SAVEPOINT_COMMANDS.has(command))
        this.#savepoints.heed(this, statement, { command: command.toUpperCase() });
    }
  }

  /** Those that the transaction had before it had a hook are unknown, and before all hooks. */
  #savepointsSoFar(): OpenSavepoints<CommitHooks> {
    const savepoints = new OpenSavepoints<CommitHooks>(() => this);
    savepoints.heed(this, '', { command: 'SAVEPOINT' });
    return savepoints;
  }

  #committed(isInner: boolean): void {
    if (isInner) return;
    this.#due.push(...this.#waiting.splice(0));
    this.#savepoints = this.#savepointsSoFar();
  }

  async #run(): Promise<void> {
    for (const work of this.#due.splice(0)) await runHook(work);
  }
}

/** Never rejects: what it belongs to is kept, whatever becomes of it. */
export async function runHook(work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    new Logger('Tenancy').error('What was to be done after a COMMIT has failed. The COMMIT stands.', error);
  }
}
