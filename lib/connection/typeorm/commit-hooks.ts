import { Logger } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';

const HOOKS = Symbol('nestjs-tenancy commit hooks');

/** As TypeORM's own is, where it tells how many savepoints it has made. */
type CountingRunner = QueryRunner & { readonly transactionDepth: number; [HOOKS]?: CommitHooks };

interface Hook {
  readonly work: () => unknown;
  /** Of the transaction or the savepoint that it belongs to. */
  depth: number;
}

/**
 * What is to be done when the transaction of a QueryRunner has been committed. It is done when the connection has been given
 * back: else it would wait for the one that it holds itself.
 */
export class CommitHooks {
  /** Belongs to the transaction that is open. */
  #waiting: Hook[] = [];
  /** Belongs to one that was committed. */
  #due: Hook[] = [];

  /** Those of the QueryRunner, which tells them of its transactions from now on. */
  static of(queryRunner: QueryRunner): CommitHooks {
    return ((queryRunner as CountingRunner)[HOOKS] ??= new CommitHooks(queryRunner as CountingRunner));
  }

  /** Those of the QueryRunner, if there are any. */
  static find(queryRunner: QueryRunner): CommitHooks | undefined {
    return (queryRunner as CountingRunner)[HOOKS];
  }

  private constructor(private readonly queryRunner: CountingRunner) {
    const commit = queryRunner.commitTransaction.bind(queryRunner);
    const rollback = queryRunner.rollbackTransaction.bind(queryRunner);
    const release = queryRunner.release.bind(queryRunner);
    Object.assign(queryRunner, {
      commitTransaction: () => commit().then(() => this.#committed()),
      rollbackTransaction: () => rollback().finally(() => this.#rolledBack()),
      release: () => release().then(() => this.#run()),
    } satisfies Partial<QueryRunner>);
  }

  get count(): number {
    return this.#waiting.length;
  }

  add(work: () => unknown): void {
    this.#waiting.push({ work, depth: this.queryRunner.transactionDepth });
  }

  /** Forgets all but the first `count`: what came after them was undone by a ROLLBACK TO. */
  forgetFrom(count: number): void {
    this.#waiting.length = Math.min(this.#waiting.length, count);
  }

  /** What was of a savepoint is now of what is around it. */
  #committed(): void {
    const { isTransactionActive, transactionDepth } = this.queryRunner;
    if (!isTransactionActive) this.#due.push(...this.#waiting.splice(0));
    for (const hook of this.#waiting) hook.depth = Math.min(hook.depth, transactionDepth);
  }

  #rolledBack(): void {
    const { isTransactionActive, transactionDepth } = this.queryRunner;
    const depth = isTransactionActive ? transactionDepth : 0;
    this.#waiting = this.#waiting.filter((hook) => hook.depth <= depth);
  }

  async #run(): Promise<void> {
    for (const { work } of this.#due.splice(0)) await runHook(work);
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
