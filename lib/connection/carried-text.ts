import type { TransactionSettings } from './settings';
import { splitStatements } from './split-statements';
import { transactionCommand } from './transaction-commands';

/** A text of the simple protocol with a tenant's settings put in where a transaction begins. */
export interface CarriedText {
  readonly text: string;
  /** One flag for each CommandComplete that will come, in order: whether it answers a setting. The rest are the text's own. */
  readonly isSetting: readonly boolean[];
}

const SEVERAL_STATEMENTS = /;(?=\s*\S)/;

/**
 * The text to send instead of one that only the simple protocol takes, or that begins or ends a transaction.
 * `undefined` for all others.
 *
 * Settings follow BEGIN, since a SELECT before it would take the snapshot and fix the isolation level. What comes after
 * a COMMIT in the middle of a text runs in another transaction, which gets them again.
 */
export function carriedText(
  text: string,
  settings: TransactionSettings,
  inTransaction: boolean,
): CarriedText | undefined {
  const hasSeveral = SEVERAL_STATEMENTS.test(text);
  if (!hasSeveral && transactionCommand(text) === undefined) return undefined;
  const statements = splitStatements(text);
  if (!statements) return inTransaction ? undefined : withSettingsFirst(text, settings);

  const parts: string[] = [];
  const isSetting: boolean[] = [];
  const carry = () => {
    parts.push(settings.commands);
    isSetting.push(...Array<boolean>(settings.count).fill(true));
  };
  statements.forEach((statement, index) => {
    const isFirst = index === 0;
    const isLast = index === statements.length - 1;
    const command = transactionCommand(statement);
    const begins = command === 'begin' || command === 'chain';
    if (isFirst && hasSeveral && !inTransaction && command !== 'begin') carry();
    // On a line of its own, lest a comment at the statement's end swallows it.
    parts.push(`${statement}\n;`);
    isSetting.push(false);
    if (begins || (command !== undefined && !isLast)) carry();
  });
  return isSetting.includes(true) ? { text: parts.join('\n'), isSetting } : undefined;
}

function withSettingsFirst(text: string, settings: TransactionSettings): CarriedText {
  return { text: settings.commands + text, isSetting: Array<boolean>(settings.count).fill(true) };
}
