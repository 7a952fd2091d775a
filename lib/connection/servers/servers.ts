import { Inject, Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { isOutage } from '../../common/outage';
import { TenancyError } from '../../common/tenancy.errors';
import { DEFAULT_SERVER } from '../../placement/place';
import { ServerAwayError, ServerNotReadyError } from '../../placement/placement.errors';
import { REGISTRY_DATA_SOURCE } from '../../registry/registry';
import { CONNECTION_OPTIONS, type ConnectionOptions } from '../connection.options';
import type { CheckedServer } from '../protocol/session-probe';
import { checkServer } from './check-server';
import { databaseOfServer } from './server-database';

/** How long a server that was found wanting is left alone, in milliseconds: requests that want it are refused meanwhile. */
const PAUSE_MS = 1_000;

/**
 * The servers on which tenants may live, beside the one that has the registry. Each is looked at before its first lease,
 * and only then: one that is away keeps nobody else waiting.
 */
@Injectable()
export class Servers {
  readonly #logger = new Logger('Tenancy');
  readonly #checked = new Map<string, CheckedServer>();
  readonly #checking = new Map<string, Promise<CheckedServer>>();
  readonly #told = new Map<string, string>();

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

  /** What was found out about a server, if it was checked. */
  find(name: string): CheckedServer | undefined {
    return this.#checked.get(name);
  }

  /**
   * The same once it is known. Many may ask at the same time; one looks.
   *
   * @throws ServerUnknownError, ServerMismatchError, ServerNotReadyError, TenancyUnavailableError
   */
  check(name: string): Promise<CheckedServer> {
    const known = this.#checked.get(name);
    if (known) return Promise.resolve(known);
    let checking = this.#checking.get(name);
    if (!checking) {
      checking = this.#check(name);
      this.#checking.set(name, checking);
      checking.then(
        () => this.#checking.delete(name),
        () => setTimeout(() => this.#checking.delete(name), PAUSE_MS).unref(),
      );
    }
    return checking;
  }

  async #check(name: string): Promise<CheckedServer> {
    const database = databaseOfServer(this.options, name);
    try {
      const found = await checkServer(name, database, this.options.registry, this.registry);
      this.#checked.set(name, found);
      if (this.#told.delete(name)) this.#logger.log(`The server "${name}" is there again.`);
      return found;
    } catch (error) {
      const refusal = explain(name, error);
      this.#tell(name, refusal);
      throw refusal;
    }
  }

  /** Once for each reason: every request of its tenants asks. */
  #tell(name: string, { message, cause }: Error): void {
    const isTold = !(cause instanceof Error) || message.includes(cause.message);
    const why = isTold ? message : `${message} ${cause.message}`;
    if (this.#told.get(name) === why) return;
    this.#told.set(name, why);
    this.#logger.warn(`The tenants of the server "${name}" get 503: ${why}`);
  }
}

/** A server's fault must not look like that of a start, or of a request. */
function explain(name: string, error: unknown): Error {
  if (isOutage(error)) return new ServerAwayError(name, { cause: error });
  const isOurs = error instanceof TenancyError && error.getStatus() === 503;
  return isOurs ? error : new ServerNotReadyError(name, error);
}
