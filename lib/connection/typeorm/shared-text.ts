import { splitStatements, wordsOf } from '../../common/split-statements';
import { TransactionCommandError, UnreadableTextError } from '../connection.errors';
import { mayCommand, type TransactionCommand, transactionCommand } from '../protocol/transaction-text';

/** `isolation`: it asks for the level that the transaction has. */
export type SharedCommand = TransactionCommand | 'isolation';

/**
 * The command that a text is which is to be sent in a transaction that several share.
 *
 * @param standardStrings the session's `standard_conforming_strings`
 * @param isolation the transaction's level
 * @throws TransactionCommandError when it is one among other statements, or one that would leave what all share
 * @throws UnreadableTextError when the statements cannot be told apart, and so one may be hidden
 */
export function sharedCommand(
  text: string,
  standardStrings: boolean,
  isolation: string,
): SharedCommand | undefined {
  if (!mayCommand(text) && !/\bisolation\b/i.test(text)) return undefined;
  const statements = splitStatements(text, standardStrings);
  if (!statements) throw new UnreadableTextError();
  const command = statements.map(({ head }) => transactionCommand(head)).find((each) => each !== undefined);
  const isSole = statements.length === 1;
  if (command === undefined) {
    const isSameLevel =
      isSole &&
      wordsOf(statements[0].head).join(' ') === `set transaction isolation level ${isolation.toLowerCase()}`;
    return isSameLevel ? 'isolation' : undefined;
  }
  if (!isSole || command === 'chain' || command === 'prepare') throw new TransactionCommandError();
  return command;
}
