import { Inject, Injectable } from '@nestjs/common';
import { quoteIdentifier, quoteLiteral, type SqlExecutor } from '../../common/sql';
import { SchemaNotMarkedError } from '../provisioning.errors';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { lockMark, markIn, SchemaMarks, SPARE_COMMENT, tenantComment } from './schema-marks';

/** SQL: what the comment on the database `d` says. Every database of the server can read it. */
const COMMENT = `pg_catalog.shobj_description(d.oid, 'pg_database')`;

/** SQL: the id of the registry that the database `d` says it belongs to, and NULL when its comment has no mark. */
export const DATABASE_MARK = markIn(COMMENT);

/** SQL: the server that the database `d` says it belongs to. Two of ours may be databases of one PostgreSQL. */
export const DATABASE_SERVER = `pg_catalog.substring(${COMMENT}, '; server ([a-z0-9_-]+); registry [0-9a-f-]+$')`;

/** SQL: whether the database `d` says that it waits for a tenant of this registry. To be asked in the server's main database. */
export function isSpareDatabaseOf(registrySchema: string): string {
  const identity = `${quoteIdentifier(registrySchema)}.registry_identity`;
  return `${COMMENT} = (SELECT '${SPARE_COMMENT}; server ' || server || '; registry ' || id FROM ONLY ${identity})`;
}

/** A database, and the server that it is on. */
export interface Located {
  readonly schemaName: string;
  readonly server: string;
}

/** What a server's list of databases says of one. */
export interface KnownDatabase {
  readonly comment: string | null;
  /** The registry that its comment names. */
  readonly owner: string | null;
  /** The server that it names. */
  readonly server: string | null;
  /** PostgreSQL was stopped while it dropped it. Nobody can enter it, and DROP goes on. */
  readonly isBroken: boolean;
}

/**
 * The mark in the comment on a tenant's own database, as `SchemaMarks` keeps it on schemas. It is committed together with what
 * is in the database. A database without it was not completed, and is dropped only if the server's tables say that we began it.
 */
@Injectable()
export class DatabaseMarks {
  readonly #noted: string;

  constructor(
    private readonly marks: SchemaMarks,
    @Inject(PROVISIONING_OPTIONS) { registrySchema }: ProvisioningOptions,
  ) {
    this.#noted = `${quoteIdentifier(registrySchema)}.databases`;
  }

  /** In any database of the server. `registryId` must be known by then, see `SchemaMarks.registryId()`. */
  async write(transaction: SqlExecutor, { schemaName, server }: Located, what: string): Promise<void> {
    const registryId = await this.marks.registryId(transaction);
    await transaction.query(commentOnDatabase({ schemaName, server }, what, registryId));
  }

  /** `undefined` when there is no such database. */
  async find(executor: SqlExecutor, name: string): Promise<KnownDatabase | undefined> {
    const [found] = (await executor.query(
      `SELECT ${COMMENT} AS comment, ${DATABASE_MARK} AS owner, ${DATABASE_SERVER} AS server,
              d.datconnlimit = -2 AS "isBroken"
       FROM pg_catalog.pg_database d WHERE d.datname = $1`,
      [name],
    )) as KnownDatabase[];
    return found;
  }

  /** Whether it says that it is the tenant's, in the server's main database. */
  async isOfTenant(executor: SqlExecutor, { schemaName, server }: Located, slug: string): Promise<boolean> {
    const found = await this.find(executor, schemaName);
    return found?.comment === markOf(tenantComment(slug), server, await this.marks.registryId(executor));
  }

  /** Whether it says that it belongs to this registry, and to that server. */
  async isOurs(executor: SqlExecutor, { schemaName, server }: Located): Promise<boolean> {
    const found = await this.find(executor, schemaName);
    return found?.owner === (await this.marks.registryId(executor)) && found.server === server;
  }

  /** The id of the registry that it says it belongs to. No other can adopt it until the transaction ends. */
  async ownerOf(transaction: SqlExecutor, { schemaName, server }: Located): Promise<string | undefined> {
    await lockMark(transaction, schemaName);
    const found = await this.find(transaction, schemaName);
    return found?.server === server ? (found.owner ?? undefined) : undefined;
  }

  /**
   * Makes sure, in the server's main database, that it is this registry's: by its mark, or because we began to make it. A missing
   * one is fine.
   *
   * @throws SchemaNotMarkedError, RegistryCopiedError
   */
  async requireOurs(transaction: SqlExecutor, { schemaName: name, server }: Located): Promise<void> {
    await lockMark(transaction, name);
    const found = await this.find(transaction, name);
    if (!found) return;
    const registryId = await this.marks.registryId(transaction);
    const isMarked = found.owner === registryId && found.server === server;
    const isOurs = isMarked || (found.owner === null && (await this.#isNoted(transaction, name)));
    if (isOurs) return this.marks.requireOnly(transaction, name, registryId);
    const remedy = commentOnDatabase({ schemaName: name, server }, tenantComment('…'), registryId);
    throw new SchemaNotMarkedError(name, found.owner, remedy, 'database');
  }

  async #isNoted(transaction: SqlExecutor, name: string): Promise<boolean> {
    const noted = (await transaction.query(`SELECT FROM ${this.#noted} WHERE name = $1`, [
      name,
    ])) as unknown[];
    return noted.length > 0;
  }
}

function markOf(what: string, server: string, registryId: string): string {
  return `${what}; server ${server}; registry ${registryId}`;
}

/** SQL: the statement that says whose the database is. */
export function commentOnDatabase({ schemaName, server }: Located, what: string, registryId: string): string {
  return statement(schemaName, markOf(what, server, registryId));
}

function statement(name: string, mark: string): string {
  return `COMMENT ON DATABASE ${quoteIdentifier(name)} IS ${quoteLiteral(mark)}`;
}
