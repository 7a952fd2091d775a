import { SubCommand } from 'nest-commander';
import { TenantProvisioner } from '../../provisioning/tenant-provisioner';
import type { Answer } from '../tenancy-command';
import { byWhom } from './audited-command';
import { detailsOf, PlacedTenantCommand, type PlacedTenantOptions, placeIn } from './new-tenant-command';
import { tenantAnswer } from './tenant-answer';

@SubCommand({
  name: 'create',
  arguments: '<slug>',
  description: 'make a tenant with a clone of the template',
})
export class CreateTenantCommand extends PlacedTenantCommand {
  protected readonly examples = [
    'tenancy tenant create acme --name "Acme Inc." --domain shop.acme.com',
    `tenancy tenant create acme --metadata '{ "plan": "gold" }' --json`,
    'tenancy tenant create acme --server eu',
    'tenancy tenant create acme --isolation database',
  ];

  protected async work([slug]: readonly string[], options: PlacedTenantOptions): Promise<Answer> {
    const provisioner = await this.application.get(TenantProvisioner, 'change', options);
    return tenantAnswer(
      this.application,
      await provisioner.create({ slug, ...detailsOf(options) }, { ...byWhom(options), ...placeIn(options) }),
    );
  }
}
