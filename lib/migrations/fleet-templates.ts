import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { ADMIN_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { DEFAULT_SERVER } from '../placement/place';
import { type NamedMigration, namedMigrations } from '../provisioning/template/named-migrations';
import { SharedMigrator } from '../provisioning/template/shared-migrator';
import { Template } from '../provisioning/template/template';
import { TemplateMigrator } from '../provisioning/template-migrator';
import { FleetMembers } from './fleet-members';
import type { FleetTally } from './fleet-report';
import { FleetServers } from './fleet-servers';
import { NothingToRevertError } from './migrations.errors';

/**
 * The templates and shared schemas of all servers. What fails on a further server is wrong for its tenants alone, so the
 * run goes on without it.
 */
@Injectable()
export class FleetTemplates {
  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly transactions: SystemTransactions,
    private readonly servers: FleetServers,
    private readonly members: FleetMembers,
    private readonly migrator: TemplateMigrator,
    private readonly template: Template,
    private readonly shared: SharedMigrator,
  ) {}

  /** Runs what is pending, and tells what ran. @throws what the registry's server throws */
  async migrate(tally: FleetTally): Promise<{ shared: string[]; template: string[] }> {
    const ran = { shared: [] as string[], template: [] as string[] };
    for (const server of this.servers.names) {
      await this.#attempt(server, tally, async () => {
        for (const name of await this.shared.migrate({ always: true })) ran.shared.push(at(server, name));
        for (const name of await this.migrator.migrate({ always: true })) ran.template.push(at(server, name));
        // Of one that was away at the start no tenant could be made until now.
        await this.migrator.prepare(server);
      });
    }
    return ran;
  }

  /**
   * The newest of the migrations that were seen last by the templates: what an earlier run has reverted on one server
   * alone is reverted on the others first.
   *
   * @throws NothingToRevertError when they have none, or the code does not have it
   */
  async lastSeen(tally: FleetTally): Promise<NamedMigration> {
    const migrations = namedMigrations(this.dataSource.migrations);
    const found: string[] = [];
    for (const server of this.servers.names) {
      await this.#attempt(server, tally, async () => {
        found.push(...(await this.#applied()).slice(-1));
      });
    }
    if (found.length === 0) throw new NothingToRevertError('the template has none.');
    const last = found.reduce((one, other) => (isNewer(other, one) ? other : one));
    const named = migrations.find(({ name }) => name === last);
    if (!named) throw new NothingToRevertError(`the last one, ${last}, is not in the code.`);
    return named;
  }

  /**
   * Reverts the migration in each template that has it, and adds it to `reverted`. Returns false when a tenant was made
   * meanwhile that has it, too.
   */
  async revert(last: NamedMigration, tally: FleetTally, reverted: string[]): Promise<boolean> {
    let isDone = true;
    for (const server of this.servers.names) {
      await this.#attempt(server, tally, async () => {
        if (!(await this.#applied()).includes(last.name)) return;
        const hasReverted = await this.migrator.revert(
          last,
          async (transaction) =>
            (await this.members.count([last.name], 'having', { server, transaction })) === 0,
        );
        if (hasReverted) reverted.push(at(server, last.name));
        else isDone = false;
      });
    }
    return isDone;
  }

  /**
   * Reverts the last migration of a shared schema on each server that has it, the registry's last; `undefined`: there is
   * none of the code's.
   *
   * @throws ServerLeftOutError before anything is changed, SharedMigrationError
   */
  async revertShared(schemaName: string): Promise<string | undefined> {
    const last = new Map<string, string>();
    for (const server of this.servers.names) {
      const surveys = await this.servers.on(server, () => this.shared.survey());
      const applied =
        surveys.find(({ schema }) => schema === schemaName)?.applied ?? new Map<string, unknown>();
      for (const name of [...applied.keys()].slice(-1)) last.set(server, name);
    }
    if (last.size === 0) return undefined;
    const newest = [...last.values()].reduce((one, other) => (isNewer(other, one) ? other : one));
    let reverted: string | undefined;
    for (const server of [...this.servers.names].reverse()) {
      if (last.get(server) !== newest) continue;
      reverted = await this.servers.on(server, () => this.shared.revert(schemaName));
    }
    return reverted;
  }

  /** See `FleetMigrator.acknowledge`; `undefined`: it is neither of the template nor of a shared schema. */
  async acknowledge(migration: string, named: NamedMigration | undefined): Promise<boolean | undefined> {
    let outcome: boolean | undefined = named && false;
    await this.servers.onEach(this.servers.names, async (server) => {
      const ofShared = await this.shared.acknowledge(migration);
      const ofTemplate =
        named &&
        (await this.transactions.run((manager) => this.template.acknowledge(manager, named), server));
      for (const changed of [ofShared, ofTemplate])
        if (changed !== undefined) outcome = (outcome ?? false) || changed;
    });
    return outcome;
  }

  /** Of the server on which the caller works. */
  #applied(): Promise<string[]> {
    return this.transactions.run((manager) => this.template.appliedMigrations(manager));
  }

  async #attempt(server: string, tally: FleetTally, work: () => Promise<void>): Promise<void> {
    if (tally.leftOut.has(server)) return;
    try {
      await this.servers.on(server, work);
    } catch (error) {
      if (server === DEFAULT_SERVER) throw error;
      tally.leaveOut(server, error);
    }
  }
}

function at(server: string, what: string): string {
  return server === DEFAULT_SERVER ? what : `${server}: ${what}`;
}

/** By the timestamps with which the names of migrations end. */
function isNewer(name: string, than: string): boolean {
  return name.slice(-13) > than.slice(-13);
}
