import { SubCommand } from 'nest-commander';
import { TenantLifecycle } from '../../provisioning/tenant-lifecycle';
import { type Answer, type CommonOptions, TenancyCommand } from '../tenancy-command';
import { tenantAnswer } from './tenant-answer';

@SubCommand({ name: 'show', arguments: '<tenant>', description: 'show one tenant, by its id or slug' })
export class ShowTenantCommand extends TenancyCommand {
  protected readonly examples = ['tenancy tenant show acme', 'tenancy tenant show acme --json'];

  protected async work([reference]: readonly string[], options: CommonOptions): Promise<Answer> {
    const lifecycle = await this.application.get(TenantLifecycle, 'look', options);
    return tenantAnswer(this.application, await lifecycle.get(reference));
  }
}
