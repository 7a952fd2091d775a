import { Option, SubCommand } from 'nest-commander';
import type { Mask } from '../../provisioning/template/template-data';
import { TenantProvisioner } from '../../provisioning/tenant-provisioner';
import { CommandLineError } from '../cli.errors';
import { jsonFile, jsonObject } from '../option-values';
import type { Answer } from '../tenancy-command';
import { byWhom } from './audited-command';
import { detailsOf, NewTenantCommand, type NewTenantOptions } from './new-tenant-command';
import { tenantAnswer } from './tenant-answer';

interface CloneCommandOptions extends NewTenantOptions {
  readonly mask?: Mask;
  readonly maskFile?: string;
}

@SubCommand({
  name: 'clone',
  arguments: '<source> <slug>',
  description: 'make a tenant with the rows of another one, as of one moment',
})
export class CloneTenantCommand extends NewTenantCommand<CloneCommandOptions> {
  protected readonly examples = [
    'tenancy tenant clone acme acme-test',
    // $$ is a quote in PostgreSQL that shells leave alone between single quotes.
    `tenancy tenant clone acme acme-support --mask '{ "orders": { "description": "$$order $$ || id" } }'`,
    'tenancy tenant clone acme acme-support --mask-file mask.json',
  ];

  @Option({
    flags: '--mask <json>',
    description: 'by table and column, the SQL expression to store instead of what must not leave the source',
  })
  parseMask(mask: string): Mask {
    return jsonObject('--mask', mask);
  }

  @Option({ flags: '--mask-file <file>', description: 'a file with the same JSON' })
  parseMaskFile(file: string): string {
    return file;
  }

  protected async work([source, slug]: readonly string[], options: CloneCommandOptions): Promise<Answer> {
    const { maskFile } = options;
    if (options.mask && maskFile !== undefined)
      throw new CommandLineError('Give --mask or --mask-file, not both.');
    const mask = maskFile === undefined ? options.mask : await jsonFile<Mask>('--mask-file', maskFile);
    const provisioner = await this.application.get(TenantProvisioner, 'change', options);
    return tenantAnswer(
      this.application,
      await provisioner.clone(source, slug, { mask, ...detailsOf(options), ...byWhom(options) }),
    );
  }
}
