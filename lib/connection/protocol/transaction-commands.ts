import type { SqlToken } from '../../common/sql-lexer';
import { splitStatements, wordsOf } from '../../common/split-statements';
import { isOutage } from '../../common/outage';
import { READ_TIMEOUT } from '../../common/silence';

/** What a statement does to the transaction it is sent in. `chain`: it ends one and begins the next. */
export type TransactionCommand = 'begin' | 'commit' | 'rollback' | 'chain' | 'prepare';

/** A cheap first test, which `CASE … END` passes too. */
const MAY_BE_ONE = /\b(?:begin|start|commit|end|rollback|abort|prepare)\b/i;

/** By the words that a statement begins with. `COMMIT PREPARED` and `ROLLBACK TO` leave the transaction as it is. */
const COMMANDS: readonly (readonly [TransactionCommand, RegExp])[] = [
  ['begin', /^(?:begin|start transaction)\b/],
  ['chain', /^(?:commit|end|rollback|abort)(?: work| transaction)? and chain\b/],
  ['commit', /^(?:commit|end)\b(?! prepared\b)/],
  ['rollback', /^(?:rollback|abort)\b(?!(?: work| transaction)? (?:to|prepared)\b)/],
];

/** Whether a text may hold such a command. When not, nothing has to be told apart. */
export function mayCommand(text: string): boolean {
  return MAY_BE_ONE.test(text);
}

/** The command that one statement is, if it is one. */
export function transactionCommand(head: readonly SqlToken[]): TransactionCommand | undefined {
  const words = wordsOf(head).join(' ');
  // `PREPARE transaction AS SELECT 1` gives a statement that name.
  if (words === 'prepare transaction' && head[2]?.kind === 'text') return 'prepare';
  return COMMANDS.find(([, pattern]) => pattern.test(words))?.[0];
}

/** The command of each statement of a text; `undefined` when its statements cannot be told apart. */
export function transactionCommands(
  text: string,
  standardStrings: boolean,
): readonly (TransactionCommand | undefined)[] | undefined {
  if (!mayCommand(text)) return [];
  return splitStatements(text, standardStrings)?.map(({ head }) => transactionCommand(head));
}

/** Whether a text that was sent may have committed something, though PostgreSQL has not answered. */
export function leavesCommitOpen(error: Error, text: unknown, standardStrings: boolean): boolean {
  if (typeof text !== 'string') return false;
  if (error.message !== READ_TIMEOUT && !isOutage(error)) return false;
  const commands = transactionCommands(text, standardStrings) ?? [];
  return commands.some((command) => command === 'commit' || command === 'chain');
}
