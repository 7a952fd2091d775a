import { Injectable } from '@nestjs/common';
import type { NamedMigration } from '../provisioning/template/named-migrations';
import { OwnLedger } from '../provisioning/template/own-ledger';
import { SessionMigrations } from '../provisioning/template/session-migrations';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { TemplateOutside } from '../provisioning/template/template-outside';
import { TEMPLATE_ID, UnfinishedMigrations } from '../provisioning/template/unfinished-migrations';
import { DEFAULT_SERVER, placeOf, siteOf } from '../placement/place';
import type { Tenant } from '../registry/tenant';
import { TenantNotFoundError } from '../registry/tenant.errors';
import { TenantStore } from '../registry/store/tenant.store';
import { isUuid } from '../registry/claim';
import { FleetServers } from './fleet-servers';
import { FleetVersions } from './fleet-versions';
import { MigrationLedger } from './migration-ledger';

/** Records what a person says about unfinished migrations, which no run may touch. */
@Injectable()
export class UnfinishedResolver {
  constructor(
    private readonly store: TenantStore,
    private readonly transactions: SystemTransactions,
    private readonly sessions: SessionMigrations,
    private readonly unfinished: UnfinishedMigrations,
    private readonly servers: FleetServers,
    private readonly versions: FleetVersions,
    private readonly ledger: MigrationLedger,
    private readonly templateOutside: TemplateOutside,
    private readonly own: OwnLedger,
  ) {}

  /**
   * @throws TenantNotFoundError when there is no such tenant
   * @throws MigrationBusyError while a run is working on it
   */
  async resolve(
    migration: NamedMigration,
    outcome: 'done' | 'rerun',
    tenant: string | undefined,
  ): Promise<number> {
    const only = tenant === undefined ? undefined : await this.#find(tenant);
    const servers = only ? [placeOf(only).server] : this.servers.names;
    let settled = 0;
    await this.servers.onEach(servers, async (server) => {
      settled += await this.#resolveOn(server, migration, outcome, only?.id);
    });
    return settled;
  }

  /** On the server on which the caller works. */
  async #resolveOn(
    server: string,
    migration: NamedMigration,
    outcome: 'done' | 'rerun',
    tenantId: string | undefined,
  ): Promise<number> {
    const waiting = await this.transactions.run((manager) =>
      this.unfinished.find(manager, { tenantId, name: migration.name }),
    );
    let settled = 0;
    for (const { tenantId: id } of waiting) {
      const wasWaiting =
        id === TEMPLATE_ID
          ? await this.templateOutside.resolve(migration, outcome === 'done')
          : await this.#settle(server, id, migration, outcome);
      if (wasWaiting) settled++;
    }
    return settled;
  }

  async #settle(
    server: string,
    id: string,
    migration: NamedMigration,
    outcome: 'done' | 'rerun',
  ): Promise<boolean> {
    const { name } = migration;
    const tenant = await this.store.find({ by: 'id', value: id });
    const isWithRegistry = server === DEFAULT_SERVER;
    const wasWaiting = await this.sessions.settle(
      { id, label: `tenant "${tenant?.slug ?? id}"`, site: tenant && siteOf(tenant) },
      name,
      async (transaction) => {
        const found = await this.unfinished[outcome === 'done' ? 'complete' : 'forget'](
          transaction,
          id,
          name,
        );
        if (found && tenant && siteOf(tenant).database !== undefined)
          await this.own.note(tenant, migration, outcome === 'done' ? 'done' : 'undone');
        if (found && isWithRegistry) await this.ledger.writeVersion(transaction, id);
        return found;
      },
    );
    if (wasWaiting && !isWithRegistry) await this.versions.note(server, [id]);
    return wasWaiting;
  }

  async #find(reference: string): Promise<Tenant> {
    const tenant = await this.store.find({ by: isUuid(reference) ? 'id' : 'slug', value: reference });
    if (!tenant) throw new TenantNotFoundError();
    return tenant;
  }
}
