import { Inject, Injectable } from '@nestjs/common';
import { Servers } from '../../connection/servers/servers';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';
import { DEFAULT_SERVER } from '../../placement/place';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { Template } from '../template/template';
import { Spares } from './spares';

/** Counts of spares. */
export interface SpareCounts {
  readonly wanted: number;
  /** Cloned from the current template. */
  readonly ready: number;
  /** Cloned from an older template. They will be replaced soon. */
  readonly stale: number;
}

/** Counts the spares. */
@Injectable()
export class SpareState {
  constructor(
    private readonly spares: Spares,
    private readonly template: Template,
    private readonly transactions: SystemTransactions,
    private readonly servers: Servers,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** @param server whose. Each has its own */
  async read(server = DEFAULT_SERVER): Promise<SpareCounts> {
    const found = await this.transactions.run(async (manager) => {
      await this.template.lockShared(manager);
      return this.spares.count(manager, (await this.template.current(manager)).version);
    }, server);
    // One that takes no new tenants needs none.
    const wanted = this.servers.openNames.includes(server) ? this.options.spares.count : 0;
    return { wanted, ...found };
  }
}
