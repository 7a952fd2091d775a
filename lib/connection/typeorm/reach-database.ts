import { setTimeout as wait } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { isOutage, outageIn } from '../../common/outage';
import { TenancyError } from '../../common/tenancy.errors';
import { StartFailedError } from '../../common/start.errors';
import { databaseLogin, type DatabaseLogin, type Replication, replicationLogin } from './database-login';
import {
  DatabaseRefusedError,
  DatabaseUnreachableError,
  EntityNotListedError,
} from '../connection-start.errors';
import type { CheckedDatabaseOptions } from '../database.options';

/** How a data source is reached: what travels with its options. */
export interface Reaching {
  readonly login: DatabaseLogin;
  readonly patience: Pick<CheckedDatabaseOptions, 'connectAttempts' | 'connectRetryDelayMs'>;
}

/** Nest's own attempts are switched off: they are logged with a stack each, and without what they are about. */
export function reaching(
  server: CheckedDatabaseOptions,
  { connectAttempts, connectRetryDelayMs, adminUrl }: CheckedDatabaseOptions,
  replication?: Replication,
): Reaching & { readonly retryAttempts: number; readonly toRetry: () => boolean } {
  const option = adminUrl !== undefined && server.url === adminUrl ? 'database.adminUrl' : 'database.url';
  return {
    retryAttempts: 1,
    toRetry: () => false,
    patience: { connectAttempts, connectRetryDelayMs },
    login: replication ? replicationLogin(replication) : databaseLogin(server, option),
  };
}

/**
 * What `open` gives, tried again while PostgreSQL is not there. Whatever goes wrong is told in one sentence.
 *
 * @throws DatabaseUnreachableError, DatabaseRefusedError, StartFailedError; errors of ours as they are
 */
export async function reachDatabase<T>(
  what: string,
  login: DatabaseLogin,
  { connectAttempts, connectRetryDelayMs }: Reaching['patience'],
  open: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await open();
    } catch (error) {
      if (!isOutage(error)) throw explain(what, login, error);
      const of = connectAttempts > 1 ? `, attempt ${attempt} of ${connectAttempts}` : '';
      const unreachable = new DatabaseUnreachableError(login, outageIn(error), of);
      if (attempt >= connectAttempts) throw unreachable;
      const next = attempt > 1 ? '' : `. Trying again every ${connectRetryDelayMs / 1_000} s`;
      new Logger('Tenancy').warn(`${unreachable.happening}${next}`);
      await wait(connectRetryDelayMs);
    }
  }
}

/** TypeORM, of a relation whose other side it does not know. */
const UNLISTED = /^Entity metadata for (\S+) was not found/;

function explain(what: string, login: DatabaseLogin, error: unknown): unknown {
  if (error instanceof TenancyError) return error;
  const { severity, code, message = '' } = (error ?? {}) as Partial<Record<string, string>>;
  const [, relation] = UNLISTED.exec(message) ?? [];
  if (relation)
    return new EntityNotListedError(`What ${relation.replace('#', '.')} leads to`, { cause: error });
  const isRefused =
    severity === 'FATAL' || /^SASL: |SSL/.test(message) || /CERT|SELF_SIGNED/.test(code ?? '');
  return isRefused
    ? new DatabaseRefusedError(login, error as Error)
    : new StartFailedError(what, error, login);
}
