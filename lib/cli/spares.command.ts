import { Command, Option } from 'nest-commander';
import { SpareRefill } from '../provisioning/spares/spare-refill';
import { SpareState } from '../provisioning/spares/spare-state';
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
    const state = await this.application.get(SpareState, purpose, options);
    if (options.refill) await (await this.application.get(SpareRefill, purpose, options)).refill();
    const found = await state.read();
    const wanted = this.application.configured.spares.count;
    return {
      value: { ...found, wanted },
      text: list({ wanted: `${wanted}`, ready: `${found.ready}`, stale: `${found.stale}` }),
    };
  }
}
