import { firstToken, type SqlToken } from '../../common/sql-lexer';
import { type SqlStatement, splitStatements, wordsOf } from '../../common/split-statements';
import { isOutage } from '../../common/outage';
import { READ_TIMEOUT } from '../../common/silence';
import type { Answered } from './rider';
import type { TransactionParameters } from './transaction-parameters';

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

/** Statements whose code may commit and roll back. */
const RUN_CODE: ReadonlySet<string> = new Set(['call', 'do']);

/** Whether a statement may end the transaction that it runs in, and go on in another. */
export function mayEndTransaction(text: unknown): boolean {
  if (typeof text !== 'string') return false;
  const first = firstToken(text);
  return first?.kind === 'word' && RUN_CODE.has(first.value);
}

/**
 * What PostgreSQL runs without a snapshot. It may have to come before whatever takes one, as SET TRANSACTION and LOCK
 * do, and reads no rows and makes nothing.
 */
const NEEDS_NO_SNAPSHOT: ReadonlySet<string> = new Set([
  ...['begin', 'start', 'commit', 'end', 'rollback', 'abort', 'savepoint', 'release'],
  ...['set', 'reset', 'show', 'lock', 'fetch', 'move', 'listen', 'unlisten', 'notify', 'checkpoint'],
]);

/** Whether the check must come before a statement. An empty statement needs no check. */
export function takesSnapshot(text: unknown): boolean {
  if (typeof text !== 'string') return true;
  const first = firstToken(text);
  return first !== undefined && (first.kind !== 'word' || !NEEDS_NO_SNAPSHOT.has(first.value));
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

/** A text of the simple protocol with a tenant's parameters put in where a transaction begins. */
export interface CarriedText {
  readonly text: string;
  /** One for each CommandComplete that will come, in order. */
  readonly answers: readonly Answered[];
}

/** Where a text is sent. */
interface Session {
  inTransaction(): boolean;
  /** Whether the transaction has yet to look whether the tenant's schema is there. */
  owesCheck(parameters: TransactionParameters): boolean;
  readonly standardStrings: boolean;
}

/**
 * The text to send instead of one that only the simple protocol takes, or that begins or ends a transaction.
 * `undefined` for all others, and `unreadable` when its statements cannot be told apart.
 *
 * Parameters follow BEGIN, since a SELECT before it would take the snapshot and fix the isolation level. What comes after
 * a COMMIT in the middle of a text runs in another transaction, which gets them again. The check of the schema does take
 * the snapshot, so it comes right before the first statement that would.
 */
export function carriedText(
  text: string,
  parameters: TransactionParameters,
  session: Session,
): CarriedText | 'unreadable' | undefined {
  if (!mayHaveSeveral(text) && !mayCommand(text)) return undefined;
  const statements = splitStatements(text, session.standardStrings);
  return statements ? carriedStatements(statements, parameters, session) : 'unreadable';
}

function mayHaveSeveral(text: string): boolean {
  const end = text.indexOf(';');
  return end !== -1 && text.slice(end + 1).trim() !== '';
}

function carriedStatements(
  statements: readonly SqlStatement[],
  parameters: TransactionParameters,
  session: Session,
): CarriedText | undefined {
  const parts: string[] = [];
  const answers: Answered[] = [];
  let owesCheck = session.owesCheck(parameters);
  const carryParameters = () => {
    parts.push(...parameters.commands.map((command) => `${command};`));
    answers.push(...Array<Answered>(parameters.commands.length).fill('parameter'));
    owesCheck = parameters.schemaCheck !== undefined;
  };
  statements.forEach(({ text, head }, index) => {
    const isSole = statements.length === 1;
    const isLast = index === statements.length - 1;
    const command = transactionCommand(head);
    const begins = command === 'begin' || command === 'chain';
    if (index === 0 && !isLast && !session.inTransaction() && command !== 'begin') carryParameters();
    // Alone it is sent as a statement, with the check in front of it.
    if (owesCheck && !isSole && takesSnapshot(text)) {
      parts.push(`${parameters.schemaCheck!.command};`);
      answers.push('check');
      owesCheck = false;
    }
    // On a line of its own, lest a comment at the statement's end swallows it.
    parts.push(`${text}\n;`);
    answers.push('own');
    if (begins || (command !== undefined && !isLast)) carryParameters();
  });
  return answers.every((each) => each === 'own') ? undefined : { text: parts.join('\n'), answers };
}
