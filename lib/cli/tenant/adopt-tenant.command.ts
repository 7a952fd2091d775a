import { Option, SubCommand } from 'nest-commander';
import { TenantProvisioner } from '../../provisioning/tenant-provisioner';
import type { Answer } from '../tenancy-command';
import { byWhom } from './audited-command';
import { detailsOf, PlacedTenantCommand, type PlacedTenantOptions, placeIn } from './new-tenant-command';
import { tenantAnswer } from './tenant-answer';

interface AdoptCommandOptions extends PlacedTenantOptions {
  readonly force?: boolean;
}

@SubCommand({
  name: 'adopt',
  arguments: '<schema> <slug>',
  description: 'make a tenant of a schema that is there already',
})
export class AdoptTenantCommand extends PlacedTenantCommand<AdoptCommandOptions> {
  protected readonly examples = [
    'tenancy tenant adopt customer_17 acme',
    'tenancy tenant adopt customer_17 acme --force',
  ];

  @Option({ flags: '--force', description: 'although the schema differs from the template' })
  parseForce(): boolean {
    return true;
  }

  protected async work([schemaName, slug]: readonly string[], options: AdoptCommandOptions): Promise<Answer> {
    const provisioner = await this.application.get(TenantProvisioner, 'change', options);
    const { force } = options;
    return tenantAnswer(
      this.application,
      await provisioner.adopt(schemaName, slug, {
        force,
        ...detailsOf(options),
        ...byWhom(options),
        ...placeIn(options),
      }),
    );
  }
}
