import { Injectable } from '@nestjs/common';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { DEFAULT_SERVER } from '../placement/place';
import { TenantStore } from '../registry/store/tenant.store';
import { TypeOrmTenantStore } from '../registry/store/typeorm-tenant.store';
import { FleetServers } from './fleet-servers';
import { MigrationLedger } from './migration-ledger';
import type { RunDirection } from './migration-runs';

/** How many tenants are in memory at most. */
const PAGE_SIZE = 500;

/** Writes into the store which migration tenants have seen last, as the ledger of their server tells it. */
@Injectable()
export class FleetVersions {
  constructor(
    private readonly store: TenantStore,
    private readonly transactions: SystemTransactions,
    private readonly servers: FleetServers,
    private readonly ledger: MigrationLedger,
  ) {}

  /**
   * When a tenant of that server is to be noted: by its own migration's transaction, right after that, or together with
   * others. After `down` nobody may be told for long of what is no longer there.
   */
  whenToNote(server: string, direction: RunDirection): 'done' | 'at once' | 'together' {
    if (!this.#isOurs) return 'at once';
    if (direction === 'up') return 'together';
    return server === DEFAULT_SERVER ? 'done' : 'at once';
  }

  /** Notes tenants of one server. @throws ServerLeftOutError */
  async note(server: string, tenantIds: readonly string[]): Promise<void> {
    if (tenantIds.length === 0) return;
    if (server === DEFAULT_SERVER && this.#isOurs) {
      await this.transactions.inRegistry((manager) => this.ledger.writeVersions(manager, tenantIds));
      return;
    }
    await this.#write(await this.#read(server, tenantIds));
  }

  /** Notes what a process that died has not noted, of all tenants of a server. @throws ServerLeftOutError */
  async putRight(server: string): Promise<void> {
    if (server === DEFAULT_SERVER) {
      if (this.#isOurs) await this.transactions.inRegistry((manager) => this.ledger.writeVersions(manager));
      return;
    }
    for await (const tenants of this.store.eachPage({ server }, PAGE_SIZE)) {
      // One that is being made has no schema yet, and says itself which version it will have.
      const made = tenants.filter(({ status }) => status !== 'provisioning');
      const versions = await this.#read(
        server,
        made.map(({ id }) => id),
      );
      for (const { id, schemaVersion } of made) if (versions.get(id) === schemaVersion) versions.delete(id);
      await this.#write(versions);
    }
  }

  get #isOurs(): boolean {
    return this.store instanceof TypeOrmTenantStore;
  }

  #read(server: string, tenantIds: readonly string[]): Promise<Map<string, string | null>> {
    return this.servers.on(server, () =>
      this.transactions.run((manager) => this.ledger.readVersions(manager, tenantIds), server),
    );
  }

  async #write(versions: ReadonlyMap<string, string | null>): Promise<void> {
    if (versions.size === 0) return;
    if (this.#isOurs)
      return this.transactions.inRegistry((manager) => this.ledger.writeVersionsOf(manager, versions));
    for (const [id, schemaVersion] of versions) await this.store.update(id, { schemaVersion });
  }
}
