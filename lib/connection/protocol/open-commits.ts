import { isOutage } from '../../common/outage';
import { transactionCommands } from './transaction-commands';

/** What pg says when `query_timeout` runs out; what the server does meanwhile is unknown. */
const READ_TIMEOUT = 'Query read timeout';

/** Whether a text that was sent may have committed something, though PostgreSQL has not answered. */
export function leavesCommitOpen(error: Error, text: unknown, standardStrings: boolean): boolean {
  if (typeof text !== 'string') return false;
  if (error.message !== READ_TIMEOUT && !isOutage(error)) return false;
  const commands = transactionCommands(text, standardStrings) ?? [];
  return commands.some((command) => command === 'commit' || command === 'chain');
}
