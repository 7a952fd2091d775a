import { TransactionCommandError, UnreadableTextError } from '../connection.errors';
import { transactionCommands } from './transaction-commands';

/**
 * Why a query object with this text may not run where we have set a tenant: what comes behind a command that ends the
 * transaction would run without one. `undefined`: it may.
 */
export function foreignTextRefusal(text: unknown, standardStrings: boolean): Error | undefined {
  if (typeof text !== 'string') return undefined;
  const commands = transactionCommands(text, standardStrings);
  if (!commands) return new UnreadableTextError();
  const hasCommand = commands.some((command) => command !== undefined);
  const isRefused = commands.includes('chain') || (hasCommand && commands.length > 1);
  return isRefused ? new TransactionCommandError() : undefined;
}

/** Whether it begins a transaction that is the caller's to end. */
export function beginsTransaction(text: unknown, standardStrings: boolean): boolean {
  return typeof text === 'string' && transactionCommands(text, standardStrings)?.[0] === 'begin';
}
