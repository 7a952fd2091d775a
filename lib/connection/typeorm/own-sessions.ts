import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { Client, ClientConfig, QueryConfig } from 'pg';
import { DataSource, type QueryRunner } from 'typeorm';
import { KeepingClient } from '../../common/kept-commits';
import { orUnavailable } from '../../common/outage';
import { orSilence } from '../../common/silence';
import { quoteIdentifier } from '../../common/sql';
import { connectionText } from './connection-text';
import { ownSessionConnection } from './own-connections';
import { ADMIN_DATA_SOURCE } from './tenant-data-source';
import { OwnSessionRequiredError } from '../connection-start.errors';
import { isServedByAnother } from '../protocol/session-probe';
import { TenantContext } from '../../context/tenant-context';
import { CONNECTION_OPTIONS, type ConnectionOptions } from '../connection.options';
import { inDatabase } from '../pool/in-database';
import { databaseOfServer } from '../servers/server-database';

export interface OwnSessionOptions {
  /** The schema that the session's path begins with. Default none: the path is empty. */
  readonly schemaName?: string;
  /** Whether it must be one session from the beginning to the end; false for what keeps to transactions. Default true. */
  readonly isRequired?: boolean;
}

/**
 * Sessions that are nobody else's: for what PostgreSQL refuses inside a transaction, and for what leaves a session
 * larger than it was. Each is opened for one piece of work and closed after it.
 */
@Injectable()
export class OwnSessions {
  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    @Inject(CONNECTION_OPTIONS) private readonly options: ConnectionOptions,
  ) {}

  /**
   * What `work` gives. Its query runner belongs to the tenants' data source, with all its entities; its `manager` works
   * in the same session.
   *
   * @throws OwnSessionRequiredError behind a pooler, TenancyUnavailableError
   */
  async run<T>(
    work: (queryRunner: QueryRunner) => Promise<T>,
    { schemaName, isRequired = true }: OwnSessionOptions = {},
  ): Promise<T> {
    const { server, database } = this.context.site();
    const way = ownSessionConnection(databaseOfServer(this.options, server));
    const client = new KeepingClient(inDatabase(way, database));
    // Whatever is under way fails with it, and tells.
    client.on('error', () => undefined);
    const queryRunner = this.dataSource.createQueryRunner();
    queryRunner.connect = () => Promise.resolve(client);
    try {
      await this.#open(client, schemaName, isRequired).catch((error: unknown) => {
        throw orUnavailable('The database', orSilence(error, this.#answerTimeoutMs));
      });
      return await work(queryRunner);
    } finally {
      await queryRunner.release();
      await client.end().catch(() => undefined);
    }
  }

  /**
   * What `work` gives, with a client that speaks the replication protocol, and SQL without parameters beside it.
   *
   * @throws TenancyUnavailableError
   */
  async replicating<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const { server, database } = this.context.site();
    const way = inDatabase(ownSessionConnection(databaseOfServer(this.options, server)), database);
    const client = new KeepingClient({ ...way, replication: 'database' } as ClientConfig);
    client.on('error', () => undefined);
    try {
      await client.connect().catch((error: unknown) => {
        throw orUnavailable('The database', orSilence(error, this.#answerTimeoutMs));
      });
      return await work(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** The text by which another PostgreSQL connects to a server as we do. It has the password. */
  connectionText(server: string): Promise<string> {
    return connectionText(ownSessionConnection(databaseOfServer(this.options, server)));
  }

  /** How long what is asked first may take. The statements of the work take as long as they take. */
  get #answerTimeoutMs(): number {
    return this.options.database.connectTimeoutMs;
  }

  async #open(client: Client, schemaName: string | undefined, isRequired: boolean): Promise<void> {
    await client.connect();
    if (isRequired && (await isServedByAnother(client, this.#answerTimeoutMs)))
      throw new OwnSessionRequiredError();
    if (schemaName !== undefined) await this.#setPath(client, schemaName);
  }

  async #setPath(client: Client, schemaName: string): Promise<void> {
    const path = [schemaName, ...this.options.sharedSchemas].map(quoteIdentifier).join(', ');
    await client.query({
      text: `SELECT pg_catalog.set_config('search_path', $1, false)`,
      values: [`${path}, pg_temp`],
      query_timeout: this.#answerTimeoutMs,
    } as QueryConfig);
  }
}
