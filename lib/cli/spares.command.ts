import { Command, Option } from 'nest-commander';
import { SpareRefill } from '../provisioning/spares/spare-refill';
import { Spares } from '../provisioning/spares/spares';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { Template } from '../provisioning/template/template';
import { list } from './table';
import { type Answer, type CommonOptions, TenancyCommand } from './tenancy-command';

interface SparesCommandOptions extends CommonOptions {
  readonly refill?: boolean;
}

@Command({
  name: 'spares',
  description: 'tell how many spares are ready, or make the missing ones',
})
export class SparesCommand extends TenancyCommand<SparesCommandOptions> {
  protected readonly examples = ['tenancy spares', 'tenancy spares --refill --json'];

  @Option({ flags: '--refill', description: 'make the missing ones, and drop those of an older template' })
  parseRefill(): boolean {
    return true;
  }

  protected async work(_args: readonly string[], options: SparesCommandOptions): Promise<Answer> {
    const purpose = options.refill ? 'spares' : 'look';
    const spares = await this.application.get(Spares, purpose, options);
    const template = await this.application.get(Template, purpose, options);
    const transactions = await this.application.get(SystemTransactions, purpose, options);
    if (options.refill) await (await this.application.get(SpareRefill, purpose, options)).refill();
    const found = await transactions.run(async (manager) => {
      await template.lockShared(manager);
      return spares.count(manager, (await template.current(manager)).version);
    });
    const wanted = this.application.configured.spares.count;
    return {
      value: { wanted, ...found },
      text: list({ wanted: `${wanted}`, ready: `${found.ready}`, stale: `${found.stale}` }),
    };
  }
}
