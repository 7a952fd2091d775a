import { Inject, Injectable } from '@nestjs/common';
import { Servers } from '../../connection/servers/servers';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';
import { DEFAULT_SERVER } from '../../placement/place';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { Template } from '../template/template';
import { Spares } from './spares';

/** Counts of spares of one kind. */
export interface SpareCount {
  readonly wanted: number;
  /** Cloned from the current template. */
  readonly ready: number;
  /** Cloned from an older template. They will be replaced soon. */
  readonly stale: number;
}

/** Counts of spares: of schemas, and of databases. */
export interface SpareCounts extends SpareCount {
  /** Left out where none are wanted, and there are none. */
  readonly databases?: SpareCount;
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

  /**
   * @param server whose. Each has its own
   * @param options how many are wanted. Default: as the option `spares` says
   */
  async read(
    server = DEFAULT_SERVER,
    { count, databases }: Pick<ProvisioningOptions['spares'], 'count' | 'databases'> = this.options.spares,
  ): Promise<SpareCounts> {
    const [schemas, own] = await this.transactions.run(async (manager) => {
      await this.template.lockShared(manager);
      const { version } = await this.template.current(manager);
      return [await this.spares.count(manager, version), await this.spares.countDatabases(manager, version)];
    }, server);
    // One that takes no new tenants needs none.
    const wanted = (of: number) => (this.servers.openNames.includes(server) ? of : 0);
    const hasDatabases = wanted(databases) + own.ready + own.stale > 0;
    return {
      ...{ wanted: wanted(count), ...schemas },
      ...(hasDatabases && { databases: { wanted: wanted(databases), ...own } }),
    };
  }
}
