import { Option, SubCommand } from 'nest-commander';
import type { Mask } from '../../provisioning/template-data';
import { TenantProvisioner } from '../../provisioning/tenant-provisioner';
import { jsonObject } from '../json-option';
import type { Answer } from '../tenancy-command';
import { byWhom } from './audited-command';
import { detailsOf, NewTenantCommand, type NewTenantOptions } from './new-tenant-command';
import { tenantAnswer } from './tenant-answer';

interface CloneCommandOptions extends NewTenantOptions {
  readonly mask?: Mask;
}

@SubCommand({
  name: 'clone',
  arguments: '<source> <slug>',
  description: 'make a tenant with the rows of another one, as of one moment',
})
export class CloneTenantCommand extends NewTenantCommand<CloneCommandOptions> {
  protected readonly examples = [
    'tenancy tenant clone acme acme-test',
    `tenancy tenant clone acme acme-support --mask '{ "users": { "email": "id || ''@example.com''" } }'`,
  ];

  @Option({
    flags: '--mask <json>',
    description: 'by table and column, an SQL expression for what must not leave the source',
  })
  parseMask(mask: string): Mask {
    return jsonObject('--mask', mask);
  }

  protected async work([source, slug]: readonly string[], options: CloneCommandOptions): Promise<Answer> {
    const provisioner = await this.application.get(TenantProvisioner, 'change', options);
    const { mask } = options;
    return tenantAnswer(
      await provisioner.clone(source, slug, { mask, ...detailsOf(options), ...byWhom(options) }),
    );
  }
}
