import type { QueryResult } from 'pg';
import { splitStatements, wordsOf } from '../../common/split-statements';

/** Of ROLLBACK TO the tag is ROLLBACK. */
const CONCERNED: ReadonlySet<string> = new Set(['SAVEPOINT', 'RELEASE', 'ROLLBACK']);

interface Savepoint<Owner> {
  /** `undefined`: it cannot be told from the text. */
  readonly name: string | undefined;
  readonly owner: Owner;
  /** Whether others have sent something since. */
  isShared: boolean;
  /** How many hooks the transaction had when it was made. */
  readonly hooks: number;
}

type Answer = Pick<QueryResult, 'command'>;

/** What is to be done after the COMMIT. */
interface Hooks {
  readonly count: number;
  forgetFrom(count: number): void;
}

/**
 * The savepoints of a transaction that several share, as PostgreSQL has them, or more: then one dooms that need not. To
 * go back to one undoes what others did meanwhile, and was acknowledged to them.
 */
export class OpenSavepoints<Owner extends object> {
  #open: Savepoint<Owner>[] = [];

  /** @param hooks of the transaction: those that a ROLLBACK TO undoes are forgotten */
  constructor(private readonly hooks: () => Hooks | undefined = () => undefined) {}

  /** Heeds that somebody has sent something. */
  touch(sender: Owner): void {
    for (const savepoint of this.#open) if (savepoint.owner !== sender) savepoint.isShared = true;
  }

  /** Heeds what somebody has sent, and its result unless it failed. `undone`: it took back what others had done. */
  heed(sender: Owner, text: string, result?: Answer | readonly Answer[]): 'undone' | undefined {
    this.touch(sender);
    // Of a text that failed the beginning may hold.
    if (!result && mayMakeSavepoint(text)) this.#add(sender, undefined);
    const commands = result === undefined ? [] : [result].flat().map(({ command }) => command);
    if (!commands.some((command) => CONCERNED.has(command))) return undefined;
    const name = commands.length === 1 ? savepointName(text) : undefined;
    let outcome: 'undone' | undefined;
    for (const command of commands) {
      if (command === 'SAVEPOINT') this.#add(sender, name);
      else if (command === 'RELEASE') this.#release(name);
      else if (command === 'ROLLBACK' && this.#goBack(name)) outcome = 'undone';
    }
    return outcome;
  }

  #add(owner: Owner, name: string | undefined): void {
    this.#open.push({ name, owner, isShared: false, hooks: this.hooks()?.count ?? 0 });
  }

  #release(name: string | undefined): void {
    const index = this.#indexOf(name);
    if (index >= 0) this.#open.length = index;
  }

  /** Whether others have done something since. When it cannot be told which it is, it may be any of them. */
  #goBack(name: string | undefined): boolean {
    const index = this.#indexOf(name);
    this.hooks()?.forgetFrom(this.#open[Math.max(index, 0)]?.hooks ?? 0);
    if (index < 0) return this.#open.some(({ isShared }) => isShared);
    this.#open.length = index + 1;
    return this.#open[index].isShared;
  }

  /** Of savepoints with one name the last one counts; -1 when one of those behind it may have it, too. */
  #indexOf(name: string | undefined): number {
    const index = this.#open.findLastIndex((each) => each.name === undefined || each.name === name);
    return name === undefined || this.#open[index]?.name === undefined ? -1 : index;
  }
}

const COMMAND = /^(?:savepoint|release(?: savepoint)?|rollback(?: work| transaction)? to(?: savepoint)?)$/;
/** First words of what makes a savepoint, releases one or goes back to one, if it is not the whole that is rolled back. */
export const SAVEPOINT_COMMANDS: ReadonlySet<string> = new Set(['savepoint', 'release', 'rollback']);

/** Whether one of its statements makes a savepoint, releases one or goes back to one. */
export function commandsSavepoints(text: string, standardStrings: boolean): boolean {
  if (!/\b(?:savepoint|release|rollback)\b/i.test(text)) return false;
  const statements = splitStatements(text, standardStrings) ?? [];
  return statements.some(({ head }) => SAVEPOINT_COMMANDS.has(wordsOf(head)[0]));
}

function mayMakeSavepoint(text: string): boolean {
  return text.includes(';') && /\bsavepoint\b/i.test(text);
}

/** NAMEDATALEN - 1: PostgreSQL cuts longer names, so that two of them may be one. */
const MAX_NAME_BYTES = 63;

/** The name in `SAVEPOINT a`, `RELEASE SAVEPOINT a`, `ROLLBACK TO "a"`; `undefined` when it cannot be told. */
function savepointName(text: string): string | undefined {
  const [statement, ...others] = splitStatements(text) ?? [];
  const name = statement?.head.at(-1);
  if (others.length > 0 || (name?.kind !== 'word' && name?.kind !== 'name')) return undefined;
  if (Buffer.byteLength(name.value) > MAX_NAME_BYTES) return undefined;
  return COMMAND.test(wordsOf(statement.head.slice(0, -1)).join(' ')) ? name.value : undefined;
}
