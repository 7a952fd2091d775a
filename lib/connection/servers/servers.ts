import { Inject, Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { isOutage } from '../../common/outage';
import { TenancyError } from '../../common/tenancy.errors';
import { DEFAULT_SERVER } from '../../placement/place';
import { ServerAwayError, ServerNotReadyError } from '../../placement/placement.errors';
import { REGISTRY_DATA_SOURCE } from '../../registry/registry';
import { CONNECTION_OPTIONS, type ConnectionOptions } from '../connection.options';
import type { CheckedDatabaseOptions } from '../database.options';
import type { CheckedServer } from '../protocol/session-probe';
import { requestConnection } from '../typeorm/own-connections';
import { checkReplica } from './check-replica';
import { checkServer } from './check-server';
import { Looks } from './looks';
import { databaseOfServer, replicaOption, replicasOf, requestsDatabaseOf } from './server-database';
import { readMark } from './server-mark';

/**
 * The servers on which tenants may live, beside the one that has the registry, and the replicas of all. Each is looked at
 * before its first lease, and only then: one that is away keeps nobody else waiting. One that was lost is looked at again.
 */
@Injectable()
export class Servers {
  readonly #logger = new Logger('Tenancy');
  readonly #servers = new Looks<CheckedServer>({
    failed: (name, { message }) =>
      this.#logger.warn(`The tenants of the server "${name}" get 503: ${message}`),
    recovered: (name) => this.#logger.log(`The server "${name}" is there again.`),
  });
  readonly #replicas = new Looks<CheckedServer>({
    failed: (option, { message }) => this.#logger.warn(`Nothing is read from ${option}: ${message}`),
    recovered: (option) => this.#logger.log(`${option} is read from again.`),
  });
  readonly #marks = new Map<string, string | undefined>();

  constructor(
    @Inject(CONNECTION_OPTIONS) private readonly options: ConnectionOptions,
    @InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource,
  ) {}

  /** The names of all, the registry's first. */
  get names(): readonly string[] {
    return [DEFAULT_SERVER, ...this.further];
  }

  /** The names of those beside the registry's. */
  get further(): readonly string[] {
    return Object.keys(this.options.servers);
  }

  /** The names of those that take new tenants. */
  get openNames(): readonly string[] {
    return this.names.filter((name) => name === DEFAULT_SERVER || this.options.servers[name].open !== false);
  }

  /** What was found out about a server, if it was checked, and not lost since. */
  find(name: string): CheckedServer | undefined {
    return this.#servers.find(name);
  }

  /**
   * The same once it is known. Many may ask at the same time; one looks.
   *
   * @throws ServerUnknownError, ServerMismatchError, ServerNotReadyError, TenancyUnavailableError
   */
  check(name: string): Promise<CheckedServer> {
    return this.#servers.check(name, async (before) => {
      try {
        const database = databaseOfServer(this.options, name);
        if (before && (await isAsBefore(database, before))) return before;
        return await checkServer(name, database, this.options.registry, this.registry);
      } catch (error) {
        throw explain(name, error);
      }
    });
  }

  /** To be called when connections to a server were lost: who answers there next may be another. */
  lost(name: string, error?: Error): void {
    this.#servers.lost(name, error);
  }

  /**
   * What was found out about a replica.
   *
   * @throws ServerMismatchError, ServerNotReadyError, TenancyUnavailableError
   */
  checkReplica(name: string, index: number): Promise<CheckedServer> {
    const option = replicaOption(name, index);
    return this.#replicas.check(option, async () => {
      try {
        if (name !== DEFAULT_SERVER && !this.#marks.has(name)) await this.check(name);
        const checked = await checkReplica({
          ...{ server: name, option, mark: this.#marks.get(name) },
          replica: replicasOf(this.options, name)[index],
          primary: requestsDatabaseOf(this.options, name),
        });
        this.#marks.set(name, checked.mark);
        return checked;
      } catch (error) {
        throw explain(name, error, option);
      }
    });
  }

  lostReplica(name: string, index: number, error?: Error): void {
    this.#replicas.lost(replicaOption(name, index), error);
  }
}

/** Whether the same server is there as before, and takes writes: what else was found out still holds then. */
async function isAsBefore(database: CheckedDatabaseOptions, before: CheckedServer): Promise<boolean> {
  if (before.mark === undefined) return false;
  const { mark, isReadOnly } = await readMark(requestConnection(database));
  return mark === before.mark && !isReadOnly;
}

/** A server's fault must not look like that of a start, or of a request. */
function explain(name: string, error: unknown, replica?: string): Error {
  if (isOutage(error)) return new ServerAwayError(name, { cause: error, replica });
  const isOurs = error instanceof TenancyError && error.getStatus() === 503;
  return isOurs ? error : new ServerNotReadyError(name, error);
}
