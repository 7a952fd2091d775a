import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';
import { ADMIN_DATA_SOURCE } from '../../connection/typeorm/tenant-data-source';
import { TenantContext } from '../../context/tenant-context';
import { OWN_NAME } from '../../registry/schema-name';
import type { Tenant } from '../../registry/tenant';
import { quoteIdentifier } from '../../common/sql';
import type { Located } from '../marks/database-marks';
import { findOutsideDependents } from '../marks/schema-dependents';
import { type DroppedPart, SchemaDrop } from '../marks/schema-drop';
import { MARK, SchemaMarks, tenantComment } from '../marks/schema-marks';
import { PurgeBlockedError } from '../provisioning.errors';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { hasOwnRows } from './own-rows';
import { type Draft, type FoundHome, type MakeSteps, TenantHome } from './tenant-home';
import { unborn } from './unborn';

/** Schemas of tenants beside each other, in the server's main database. */
@Injectable()
export class SchemaHome extends TenantHome {
  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly transactions: SystemTransactions,
    private readonly marks: SchemaMarks,
    private readonly drop: SchemaDrop,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {
    super();
  }

  /** All in one transaction, which runs for the tenant from the start, so that hooks can work in it. */
  make(draft: Draft, { isolation, choose, note, fill }: MakeSteps): Promise<void> {
    return this.context.runUnborn(unborn(draft), () =>
      this.dataSource.transaction(isolation, async (manager) => {
        const plan = await choose(manager);
        await note(manager);
        await fill(manager, plan);
      }),
    );
  }

  async isComplete(transaction: EntityManager, { schemaName, slug }: Tenant): Promise<boolean> {
    const found = await transaction.query<unknown[]>(
      `SELECT FROM pg_catalog.pg_namespace
       WHERE nspname = $1 AND pg_catalog.obj_description(oid, 'pg_namespace') IN ($2, $2 || '; registry ' || $3)`,
      [schemaName, tenantComment(slug), await this.marks.registryId(transaction)],
    );
    return found.length > 0;
  }

  /** All was committed together. */
  finish(): Promise<void> {
    return Promise.resolve();
  }

  async discard(home: Located): Promise<void> {
    for (let isGone = false; !isGone;) {
      isGone = await this.transactions.run(
        async (manager) => (await this.drop.dropNextPart(manager, home.schemaName)).isLast,
        home.server,
      );
    }
  }

  async requireDroppable(transaction: EntityManager, { slug, schemaName }: Tenant): Promise<void> {
    // DROP … CASCADE would drop them silently.
    const dependents = await findOutsideDependents(transaction, schemaName);
    if (dependents.length > 0)
      throw new PurgeBlockedError(
        slug,
        `${dependents.join(', ')} would be dropped with its schema "${schemaName}", but lie outside of it. Drop or change them first.`,
      );
    await this.marks.markOfBefore(transaction, schemaName);
    await this.marks.requireOurs(transaction, schemaName);
  }

  dropNextPart(transaction: EntityManager, { schemaName }: Located): Promise<DroppedPart> {
    return this.drop.dropNextPart(transaction, schemaName);
  }

  listHolders({ schemaName, server }: Located): Promise<string[]> {
    return this.transactions.run(async (manager) => {
      const found = await manager.query<{ holder: string }[]>(
        `SELECT DISTINCT pg_catalog.format('process %s, %s since %s', a.pid, a.state,
                  pg_catalog.to_char(a.xact_start, 'HH24:MI:SS')) AS holder
         FROM pg_catalog.pg_namespace n
         JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
         JOIN pg_catalog.pg_locks l ON l.relation = c.oid AND l.granted AND l.pid <> pg_catalog.pg_backend_pid()
         JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
         WHERE n.nspname = $1`,
        [schemaName],
      );
      return found.map(({ holder }) => holder);
    }, server);
  }

  async comment(
    transaction: EntityManager,
    { schemaName, slug }: Pick<Tenant, 'schemaName' | 'slug'>,
  ): Promise<void> {
    await this.marks.markOfBefore(transaction, schemaName);
    await this.marks.requireOurs(transaction, schemaName);
    await this.marks.write(transaction, schemaName, tenantComment(slug));
  }

  listFound(transaction: EntityManager): Promise<FoundHome[]> {
    return transaction.query<FoundHome[]>(
      `SELECT nspname AS name, ${MARK} AS owner FROM pg_catalog.pg_namespace n WHERE nspname ~ $1
         AND NOT EXISTS (SELECT FROM ${quoteIdentifier(this.options.registrySchema)}.spares WHERE schema_name = n.nspname)
       ORDER BY 1`,
      [OWN_NAME],
    );
  }

  async isSpare(transaction: EntityManager, schemaName: string): Promise<boolean> {
    const found = await transaction.query<unknown[]>(
      `SELECT FROM ${quoteIdentifier(this.options.registrySchema)}.spares WHERE schema_name = $1`,
      [schemaName],
    );
    return found.length > 0;
  }

  ownerOf(transaction: EntityManager, { schemaName }: Located): Promise<string | undefined> {
    return this.marks.ownerOf(transaction, schemaName);
  }

  hasOwnRows(transaction: EntityManager, { schemaName }: Located): Promise<boolean> {
    return hasOwnRows(transaction, schemaName, this.options);
  }
}
