import type { Answered } from './transaction-text';
import { Rider } from './rider';

/** What a session may hold beside cursors and temporary objects, as far as its client knows. */
interface Holdings {
  /** Named statements, which code of another tenant's may have replaced. */
  readonly statements: boolean;
  /** A path: PostgreSQL before 18 does not tell its clients of it. */
  readonly path: boolean;
}

/**
 * Commands that empty a session of what is left there where no statement's text shows it, because a function did it. They
 * are not planned, so they cost little; and they have no name, so nothing that is left in the session can stand in for
 * them.
 */
export class Emptying {
  /** In front of a statement. */
  readonly rider: Rider;
  /** In front of one that may roll back what is ahead of it, and go on: with a transaction of their own. */
  readonly committedRider: Rider;
  /** In front of a text, with a transaction of their own: a BEGIN that follows may choose how it sees the others. */
  readonly text: string;
  readonly riderAnswers: readonly Answered[];
  readonly committedAnswers: readonly Answered[];

  constructor(readonly commands: readonly string[]) {
    // Without the BEGIN before COMMIT PostgreSQL would warn.
    const committed = [...commands, 'BEGIN', 'COMMIT'];
    this.rider = new Rider(commands);
    this.committedRider = new Rider(committed);
    this.text = `${committed.join('; ')};\n`;
    this.riderAnswers = answersTo(commands.length);
    this.committedAnswers = answersTo(committed.length);
  }
}

function answersTo(count: number): readonly Answered[] {
  return [...Array<Answered>(count - 1).fill('emptying'), 'emptied'];
}

const CURSORS_AND_TEMPORARY = ['CLOSE ALL', 'DISCARD TEMP'];
const STATEMENTS = 'DEALLOCATE ALL';
const PATH = "SET search_path = ''";

/**
 * In front of the SET LOCAL of a session that is empty: PostgreSQL takes what comes first in a group of messages for no
 * part of a transaction, and would warn.
 */
export const SOMETHING_FIRST = new Emptying(['RESET search_path']);

const WITH_PATH = new Emptying([...CURSORS_AND_TEMPORARY, PATH]);
const WITH_STATEMENTS = new Emptying([...CURSORS_AND_TEMPORARY, STATEMENTS]);
const WITH_BOTH = new Emptying([...CURSORS_AND_TEMPORARY, STATEMENTS, PATH]);
const WITH_NEITHER = new Emptying(CURSORS_AND_TEMPORARY);

export function emptyingOf({ statements, path }: Holdings): Emptying {
  if (statements) return path ? WITH_BOTH : WITH_STATEMENTS;
  return path ? WITH_PATH : WITH_NEITHER;
}
