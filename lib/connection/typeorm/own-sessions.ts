import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { Client } from 'pg';
import { DataSource, type QueryRunner } from 'typeorm';
import { KeepingClient } from '../../common/kept-commits';
import { orUnavailable } from '../../common/outage';
import { quoteIdentifier } from '../../common/sql';
import { ownSessionConnection } from './data-sources';
import { ADMIN_DATA_SOURCE } from './tenant-data-source';
import { OwnSessionRequiredError } from '../connection.errors';
import { CONNECTION_OPTIONS, type ConnectionOptions } from '../connection.options';

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
    const client = new KeepingClient(ownSessionConnection(this.options.database));
    // Whatever is under way fails with it, and tells.
    client.on('error', () => undefined);
    const queryRunner = this.dataSource.createQueryRunner();
    queryRunner.connect = () => Promise.resolve(client);
    try {
      await client.connect().catch((error: unknown) => {
        throw orUnavailable('The database', error);
      });
      if (isRequired) await requireOwn(client);
      if (schemaName !== undefined) await this.#setPath(client, schemaName);
      return await work(queryRunner);
    } finally {
      await queryRunner.release();
      await client.end().catch(() => undefined);
    }
  }

  async #setPath(client: Client, schemaName: string): Promise<void> {
    const path = [schemaName, ...this.options.sharedSchemas].map(quoteIdentifier).join(', ');
    await client.query(`SELECT pg_catalog.set_config('search_path', $1, false)`, [`${path}, pg_temp`]);
  }
}

/** A pooler makes up the process id it greets its clients with: it cannot know yet which session they will get. */
async function requireOwn(client: Client): Promise<void> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid');
  const { processID } = client as unknown as { processID: number | null };
  if (processID !== rows[0].pid) throw new OwnSessionRequiredError();
}
