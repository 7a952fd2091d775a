import { type SqlStatement, splitStatements } from '../common/split-statements';
import type { TransactionSettings } from './settings';
import { mayCommand, transactionCommand } from './transaction-commands';

/** A text of the simple protocol with a tenant's settings put in where a transaction begins. */
export interface CarriedText {
  readonly text: string;
  /** One flag for each CommandComplete that will come, in order: whether it answers a setting. The rest are the text's own. */
  readonly isSetting: readonly boolean[];
}

/** Where a text is sent. */
interface Session {
  inTransaction(): boolean;
  readonly standardStrings: boolean;
}

/**
 * The text to send instead of one that only the simple protocol takes, or that begins or ends a transaction.
 * `undefined` for all others, and `unreadable` when its statements cannot be told apart.
 *
 * Settings follow BEGIN, since a SELECT before it would take the snapshot and fix the isolation level. What comes after
 * a COMMIT in the middle of a text runs in another transaction, which gets them again.
 */
export function carriedText(
  text: string,
  settings: TransactionSettings,
  session: Session,
): CarriedText | 'unreadable' | undefined {
  if (!mayHaveSeveral(text) && !mayCommand(text)) return undefined;
  const statements = splitStatements(text, session.standardStrings);
  return statements ? carry(statements, settings, session.inTransaction()) : 'unreadable';
}

function mayHaveSeveral(text: string): boolean {
  const end = text.indexOf(';');
  return end !== -1 && text.slice(end + 1).trim() !== '';
}

function carry(
  statements: readonly SqlStatement[],
  settings: TransactionSettings,
  inTransaction: boolean,
): CarriedText | undefined {
  const parts: string[] = [];
  const isSetting: boolean[] = [];
  const carrySettings = () => {
    parts.push(settings.commands);
    isSetting.push(...Array<boolean>(settings.count).fill(true));
  };
  statements.forEach(({ text, head }, index) => {
    const isLast = index === statements.length - 1;
    const command = transactionCommand(head);
    const begins = command === 'begin' || command === 'chain';
    if (index === 0 && !isLast && !inTransaction && command !== 'begin') carrySettings();
    // On a line of its own, lest a comment at the statement's end swallows it.
    parts.push(`${text}\n;`);
    isSetting.push(false);
    if (begins || (command !== undefined && !isLast)) carrySettings();
  });
  return isSetting.includes(true) ? { text: parts.join('\n'), isSetting } : undefined;
}
