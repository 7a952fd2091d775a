import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { TenantContext } from '../../context/tenant-context';
import type { NamedMigration } from './named-migrations';
import { SessionMigrations } from './session-migrations';
import { Template } from './template';
import { templateOwner, UnfinishedMigrations } from './unfinished-migrations';

/** Migrations that say `transaction = false`, in the template: each in a session of its own, and perhaps left half done. */
@Injectable()
export class TemplateOutside {
  constructor(
    private readonly context: TenantContext,
    private readonly template: Template,
    private readonly sessions: SessionMigrations,
    private readonly unfinished: UnfinishedMigrations,
  ) {}

  /**
   * Whether it ran: not when another instance has brought it meanwhile. Until it has, tenants are cloned from the version
   * before, by whoever has compiled it.
   */
  run(migration: NamedMigration): Promise<boolean> {
    const owner = templateOwner(this.template.schemaName);
    return this.context.runInSchema(this.template.schemaName, () =>
      this.sessions.run(
        {
          owner,
          migration,
          direction: 'up',
          begin: async (transaction) => {
            await this.template.lockExclusive(transaction);
            const applied = await this.template.appliedMigrations(transaction);
            if (applied.includes(migration.name)) return false;
            return this.unfinished.begin(transaction, owner.id, migration, { runId: null, from: 'failed' });
          },
          complete: async (transaction) => {
            await this.template.lockExclusive(transaction);
            await this.template.recordMigration(transaction, migration);
            await this.unfinished.forget(transaction, owner.id, migration.name);
          },
        },
        // Of ten instances that start at once, one works.
        { wait: true },
      ),
    );
  }

  /** Whether it was taken back: `mayRevert` is asked while nobody can be cloned. The caller works in the template. */
  revert(
    migration: NamedMigration,
    mayRevert: (transaction: EntityManager) => Promise<boolean>,
  ): Promise<boolean> {
    const owner = templateOwner(this.template.schemaName);
    return this.sessions.run({
      owner,
      migration,
      direction: 'down',
      begin: async (transaction) => {
        await this.template.lockExclusive(transaction);
        if (!(await mayRevert(transaction))) return false;
        // From here on nobody can be cloned: the template is neither this version nor the one before.
        await this.template.forgetMigration(transaction, migration.name);
        return this.unfinished.begin(transaction, owner.id, migration, { runId: null, from: 'failed' });
      },
      complete: (transaction) => this.unfinished.forget(transaction, owner.id, migration.name),
    });
  }

  /**
   * Says of one that did not come to its end whether all of it is there: whether it was waiting for that.
   *
   * @throws MigrationBusyError while it is still running
   */
  resolve(migration: NamedMigration, isThere: boolean): Promise<boolean> {
    const owner = templateOwner(this.template.schemaName);
    return this.sessions.settle(owner, migration.name, async (transaction) => {
      await this.template.lockExclusive(transaction);
      const wasWaiting = await this.unfinished.forget(transaction, owner.id, migration.name);
      if (wasWaiting && isThere) await this.template.recordMigration(transaction, migration);
      return wasWaiting;
    });
  }
}
