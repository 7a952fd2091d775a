import type { QueryResult } from 'pg';
import { splitStatements, wordsOf } from '../common/split-statements';

/** Of ROLLBACK TO the tag is ROLLBACK. */
const CONCERNED: ReadonlySet<string> = new Set(['SAVEPOINT', 'RELEASE', 'ROLLBACK']);

interface Savepoint<Owner> {
  /** `undefined`: it cannot be told from the text. */
  readonly name: string | undefined;
  readonly owner: Owner;
  /** Whether others have sent something since. */
  isShared: boolean;
}

/**
 * The savepoints of a transaction that several share, as PostgreSQL has them. To go back to one undoes what others did
 * meanwhile, and was acknowledged to them.
 */
export class OpenSavepoints<Owner extends object> {
  #open: Savepoint<Owner>[] = [];

  /** Heeds what somebody has sent, and its result unless it failed. `undone`: it took back what others had done. */
  heed(sender: Owner, text: string, result?: QueryResult): 'undone' | undefined {
    for (const savepoint of this.#open) if (savepoint.owner !== sender) savepoint.isShared = true;
    const commands = result === undefined ? [] : [result].flat().map(({ command }) => command);
    if (!commands.some((command) => CONCERNED.has(command))) return undefined;
    const name = commands.length === 1 ? savepointName(text) : undefined;
    let outcome: 'undone' | undefined;
    for (const command of commands) {
      if (command === 'SAVEPOINT') this.#open.push({ name, owner: sender, isShared: false });
      else if (command === 'RELEASE') this.#release(name);
      else if (command === 'ROLLBACK' && this.#goBack(name)) outcome = 'undone';
    }
    return outcome;
  }

  #release(name: string | undefined): void {
    const index = this.#indexOf(name);
    if (index >= 0) this.#open.length = index;
  }

  /** Whether others have done something since. Without a name it may be any of them. */
  #goBack(name: string | undefined): boolean {
    const index = this.#indexOf(name);
    if (index < 0) return this.#open.some(({ isShared }) => isShared);
    this.#open.length = index + 1;
    return this.#open[index].isShared;
  }

  /** Of savepoints with one name the last one counts. */
  #indexOf(name: string | undefined): number {
    return name === undefined ? -1 : this.#open.findLastIndex((each) => each.name === name);
  }
}

const COMMAND = /^(?:savepoint|release(?: savepoint)?|rollback(?: work| transaction)? to(?: savepoint)?)$/;

/** The name in `SAVEPOINT a`, `RELEASE SAVEPOINT a`, `ROLLBACK TO "a"`; `undefined` when it cannot be told. */
function savepointName(text: string): string | undefined {
  const [statement, ...others] = splitStatements(text) ?? [];
  const name = statement?.head.at(-1);
  if (others.length > 0 || (name?.kind !== 'word' && name?.kind !== 'name')) return undefined;
  return COMMAND.test(wordsOf(statement.head.slice(0, -1)).join(' ')) ? name.value : undefined;
}
