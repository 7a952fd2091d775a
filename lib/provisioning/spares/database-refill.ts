import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';
import { generateSchemaName } from '../../registry/schema-name';
import { DatabaseHome } from '../homes/database-home';
import { TenantDatabases } from '../homes/tenant-databases';
import { DatabaseMarks } from '../marks/database-marks';
import { SchemaMarks, SPARE_COMMENT } from '../marks/schema-marks';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { TenantRoles } from '../roles/tenant-roles';
import { replayInto } from '../template/rows-across';
import { Template } from '../template/template';
import { Spares } from './spares';

/** Keeps the databases that wait for tenants complete, under the names that they will have. */
@Injectable()
export class DatabaseRefill {
  constructor(
    private readonly transactions: SystemTransactions,
    private readonly databases: TenantDatabases,
    private readonly home: DatabaseHome,
    private readonly marks: DatabaseMarks,
    private readonly schemaMarks: SchemaMarks,
    private readonly template: Template,
    private readonly spares: Spares,
    private readonly roles: TenantRoles,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** @throws PlaceNotPossibleError when the server cannot have any */
  async refill(server: string, mayGoOn: () => boolean): Promise<void> {
    const { databases: count } = this.options.spares;
    // In the pool: most have no such spares, and a session of one's own is for those who do.
    const open = await this.transactions.run(async (manager) => {
      await this.template.lockShared(manager);
      const { version } = await this.template.current(manager);
      return this.spares.listOpenDatabaseSlots(manager, version, count);
    }, server);
    if (open.length === 0) return;
    if (count > 0) await this.databases.requirePossible(server);
    for (const slot of open)
      for (let isDone = false; !isDone && mayGoOn();)
        isDone = await this.databases.keeping(server, (keeper) => this.#advance(keeper, server, slot));
  }

  /** Drops a stale one, or makes a new one. Returns whether all is done. */
  async #advance(keeper: EntityManager, server: string, slot: number): Promise<boolean> {
    if (!(await this.spares.lockSlot(keeper, -1 - slot))) return true;
    await this.template.lockShared(keeper);
    const { version, blueprint } = await this.template.current(keeper);
    const spare = await this.spares.findDatabase(keeper, slot);
    if (spare) {
      if (spare.version === version && spare.isWaiting && slot < this.options.spares.databases) return true;
      // In a transaction of its own: the next one takes the slot.
      if (spare.isWaiting && !(await this.spares.isTenants(spare.name, { server, isolation: 'database' })))
        await this.databases.drop(server, spare.name);
      await this.databases.release(keeper, spare.name);
      return false;
    }
    if (slot >= this.options.spares.databases) return true;
    const home = { schemaName: generateSchemaName(), server };
    // It cannot be read in the tenant's database.
    await this.schemaMarks.registryId(keeper);
    await this.databases.lock(keeper, home.schemaName);
    await this.databases.create(server, home.schemaName, slot);
    const shared = await this.databases.listShared(keeper);
    await this.transactions.run(
      async (manager) => {
        await this.home.prepare(manager, home, shared);
        await replayInto(manager, keeper, blueprint, home.schemaName, { tables: this.options.templateData });
        await this.roles.prepare(manager, home.schemaName);
        await this.marks.write(manager, home, SPARE_COMMENT);
      },
      { server, database: home.schemaName },
    );
    await this.spares.complete(keeper, home.schemaName, version);
    return true;
  }
}
