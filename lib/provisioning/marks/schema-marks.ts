import { Inject, Injectable } from '@nestjs/common';
import { quoteIdentifier, quoteLiteral, type SqlExecutor } from '../../common/sql';
import { RegistryCopiedError, SchemaNotMarkedError } from '../provisioning.errors';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { findNeighbours, newIdentity, registryIdIn, twinsAmong } from './registry-neighbours';

/** The part of a schema's comment for people, before the mark. */
export const SPARE_COMMENT = 'waits for a tenant';
export const IMPORT_COMMENT = 'is being imported';

export function tenantComment(slug: string): string {
  return `tenant ${slug}`;
}

/** SQL: the id of the registry that a comment names, and NULL when it has no mark. */
export function markIn(comment: string): string {
  return `pg_catalog.substring(${comment},
  '(?:^|; )registry ([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$')`;
}

/** SQL: the id of the registry that the schema `n` says it belongs to, and NULL when its comment has no mark. */
export const MARK = markIn(`pg_catalog.obj_description(n.oid, 'pg_namespace')`);

/** SQL: whether the schema `n` has a comment of an old version, without a mark. The next sweep marks it. */
export const IS_OF_BEFORE = `pg_catalog.obj_description(n.oid, 'pg_namespace') ~ '^(tenant [a-z0-9-]+|${SPARE_COMMENT})$'`;

/** SQL: whether the schema `n` says that it waits for a tenant of this registry. */
export function isSpareOf(registrySchema: string): string {
  return `pg_catalog.obj_description(n.oid, 'pg_namespace') IN ('${SPARE_COMMENT}', '${SPARE_COMMENT}; registry ' ||
    (SELECT id FROM ${quoteIdentifier(registrySchema)}.registry_identity))`;
}

/**
 * The mark in the comment of each schema that belongs to a registry: `tenant acme; registry <id>`. It is written in the
 * transaction that makes or adopts the schema. A schema without it is never dropped, because a name proves nothing in a
 * database that two applications share.
 */
@Injectable()
export class SchemaMarks {
  #registryId: string | undefined;

  constructor(@Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions) {}

  /** The id of this registry, which never changes. */
  async registryId(executor: SqlExecutor): Promise<string> {
    return (this.#registryId ??= await registryIdIn(executor, this.options.registrySchema));
  }

  /** Says in the comment of a schema what it is, and that it is this registry's. */
  async write(transaction: SqlExecutor, schemaName: string, what: string): Promise<void> {
    await transaction.query(await this.statement(transaction, schemaName, what));
  }

  /** The statement that `write` runs. */
  async statement(executor: SqlExecutor, schemaName: string, what: string): Promise<string> {
    return commentOn(schemaName, what, await this.registryId(executor));
  }

  /** Marks a schema of this registry if a version without marks has made it. Returns whether it did. */
  async markOfBefore(transaction: SqlExecutor, schemaName: string): Promise<boolean> {
    await lockMark(transaction, schemaName);
    const [old] = (await transaction.query(
      `SELECT pg_catalog.obj_description(n.oid, 'pg_namespace') AS comment FROM pg_catalog.pg_namespace n
       WHERE n.nspname = $1 AND ${IS_OF_BEFORE}`,
      [schemaName],
    )) as { comment: string }[];
    if (old) await this.write(transaction, schemaName, old.comment);
    return old !== undefined;
  }

  /** Schemas that a version without marks has made, for any registry. */
  async listOfBefore(executor: SqlExecutor): Promise<string[]> {
    const found = (await executor.query(
      `SELECT n.nspname AS name FROM pg_catalog.pg_namespace n WHERE ${IS_OF_BEFORE} ORDER BY 1`,
    )) as { name: string }[];
    return found.map(({ name }) => name);
  }

  /** The id of the registry that the schema says it belongs to. No other can adopt it until the transaction ends. */
  async ownerOf(transaction: SqlExecutor, schemaName: string): Promise<string | undefined> {
    return (await this.#lockAndRead(transaction, schemaName)) ?? undefined;
  }

  /**
   * Makes sure that the schema is this registry's, and stays so until the transaction ends. A missing schema is fine.
   *
   * @throws SchemaNotMarkedError
   * @throws RegistryCopiedError when another registry has the same id
   */
  async requireOurs(transaction: SqlExecutor, schemaName: string): Promise<void> {
    const owner = await this.#lockAndRead(transaction, schemaName);
    const registryId = await this.registryId(transaction);
    if (owner === undefined) return;
    if (owner === registryId) return this.requireOnly(transaction, schemaName, registryId);
    throw new SchemaNotMarkedError(schemaName, owner, commentOn(schemaName, tenantComment('…'), registryId));
  }

  /** @throws RegistryCopiedError when another registry has the same id */
  async requireOnly(transaction: SqlExecutor, schemaName: string, registryId: string): Promise<void> {
    const copies = twinsAmong(await findNeighbours(transaction, this.options.registrySchema), registryId);
    if (copies.length > 0) throw new RegistryCopiedError(schemaName, copies, newIdentity(copies[0]));
  }

  /**
   * Whether the schema of a spare still waits for a tenant. No other session takes it until the transaction ends. A registry
   * that was restored from an older backup lists spares that are tenants by now.
   */
  async isWaiting(transaction: SqlExecutor, schemaName: string): Promise<boolean> {
    await lockMark(transaction, schemaName);
    const found = (await transaction.query(
      `SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = $1 AND ${isSpareOf(this.options.registrySchema)}`,
      [schemaName],
    )) as unknown[];
    return found.length > 0;
  }

  /** Whether the schema says that it is the copy of a tenant that is being moved, or what a move has left. */
  async isOfMove(executor: SqlExecutor, schemaName: string): Promise<boolean> {
    const found = (await executor.query(
      `SELECT FROM pg_catalog.pg_namespace n
       WHERE n.nspname = $1 AND pg_catalog.obj_description(n.oid, 'pg_namespace') ~ '^move [0-9a-f-]{36}; registry '`,
      [schemaName],
    )) as unknown[];
    return found.length > 0;
  }

  /** `null` when the schema has no mark, `undefined` when there is no such schema. */
  async #lockAndRead(transaction: SqlExecutor, schemaName: string): Promise<string | null | undefined> {
    await lockMark(transaction, schemaName);
    const [found] = (await transaction.query(
      `SELECT ${MARK} AS owner FROM pg_catalog.pg_namespace n WHERE n.nspname = $1`,
      [schemaName],
    )) as { owner: string | null }[];
    return found?.owner;
  }
}

/** The lock is the same for all registries. When two of them want one schema, the second sees the mark of the first. */
export async function lockMark(transaction: SqlExecutor, schemaName: string): Promise<void> {
  await transaction.query(
    `SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('tenancy mark'), pg_catalog.hashtext($1))`,
    [schemaName],
  );
}

/** The statement that marks a schema; `what` is for people. */
export function commentOn(schemaName: string, what: string, registryId: string): string {
  return `COMMENT ON SCHEMA ${quoteIdentifier(schemaName)} IS ${quoteLiteral(`${what}; registry ${registryId}`)}`;
}
