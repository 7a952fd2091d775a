import { splitStatements, withoutComments } from './split-statements';

/** What a statement does to the transaction it is sent in. `chain`: it ends one and begins the next. */
export type TransactionCommand = 'begin' | 'commit' | 'rollback' | 'chain' | 'prepare';

/** Whether it is worth a closer look. `CASE … END` is, too. */
const MAY_BE_ONE = /\b(?:begin|start|commit|end|rollback|abort|prepare)\b/i;

/** `COMMIT PREPARED` and `ROLLBACK TO` leave the transaction as it is. */
const COMMANDS: readonly (readonly [TransactionCommand, RegExp])[] = [
  ['begin', /^(?:begin|start\s+transaction)\b/i],
  ['prepare', /^prepare\s+transaction\b/i],
  ['chain', /^(?:commit|end|rollback|abort)(?:\s+(?:work|transaction))?\s+and\s+chain\b/i],
  ['commit', /^(?:commit|end)\b(?!\s+prepared\b)/i],
  ['rollback', /^(?:rollback|abort)\b(?!\s+(?:(?:work|transaction)\s+)?(?:to|prepared)\b)/i],
];

/** The command that one statement is, if it is one. */
export function transactionCommand(statement: string): TransactionCommand | undefined {
  if (!MAY_BE_ONE.test(statement)) return undefined;
  const plain = withoutComments(statement).trim();
  return COMMANDS.find(([, pattern]) => pattern.test(plain))?.[0];
}

/** Those of each statement of a text; `undefined` when its statements cannot be told apart. */
export function transactionCommands(text: string): readonly (TransactionCommand | undefined)[] | undefined {
  if (!MAY_BE_ONE.test(text)) return [];
  return splitStatements(text)?.map(transactionCommand);
}
