import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { TenantContext } from '../../context/tenant-context';
import type { NamedMigration } from './named-migrations';
import { SessionMigrations } from './session-migrations';
import { Template } from './template';
import { templateOwner, UnfinishedMigrations } from './unfinished-migrations';

/**
 * Runs migrations with `transaction = false` in the template, each in a session of its own. They may be left half done.
 */
@Injectable()
export class TemplateOutside {
  constructor(
    private readonly context: TenantContext,
    private readonly template: Template,
    private readonly sessions: SessionMigrations,
    private readonly unfinished: UnfinishedMigrations,
  ) {}

  /**
   * Runs the migration, and returns false when another instance has run it in the meantime. Until it has ended,
   * instances that have compiled the previous version go on cloning that one.
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
        // When ten instances start at once, one works and the others wait.
        { wait: true },
      ),
    );
  }

  /**
   * Reverts the migration, and returns whether it did. `mayRevert` is called while no tenant can be cloned. The
   * caller's context is the template.
   */
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
        // From here on no tenant can be cloned: the template is neither this version nor the one before.
        await this.template.forgetMigration(transaction, migration.name);
        return this.unfinished.begin(transaction, owner.id, migration, { runId: null, from: 'failed' });
      },
      complete: (transaction) => this.unfinished.forget(transaction, owner.id, migration.name),
    });
  }

  /**
   * Records of a migration that did not end whether all of it was applied. Returns whether it was waiting for that.
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
