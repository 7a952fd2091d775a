import { Inject, Injectable } from '@nestjs/common';
import { Spares } from '../provisioning/spares/spares';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { Template } from '../provisioning/template/template';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';

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
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  async read(): Promise<SpareCounts> {
    const found = await this.transactions.run(async (manager) => {
      await this.template.lockShared(manager);
      return this.spares.count(manager, (await this.template.current(manager)).version);
    });
    return { wanted: this.options.spares.count, ...found };
  }
}
