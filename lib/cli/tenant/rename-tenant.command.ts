import { Option, SubCommand } from 'nest-commander';
import { TenantLifecycle } from '../../provisioning/tenant-lifecycle';
import { CommandLineError } from '../cli.errors';
import type { Answer } from '../tenancy-command';
import { AuditedCommand, type AuditedOptions, byWhom } from './audited-command';
import { tenantAnswer } from './tenant-answer';

interface RenameOptions extends AuditedOptions {
  readonly slug?: string;
  readonly name?: string;
}

@SubCommand({
  name: 'rename',
  arguments: '<tenant>',
  description: 'give a tenant another slug, another name, or both',
})
export class RenameTenantCommand extends AuditedCommand<RenameOptions> {
  protected readonly examples = [
    'tenancy tenant rename acme --slug acme-inc',
    'tenancy tenant rename acme --name "Acme Inc."',
  ];

  @Option({ flags: '--slug <slug>', description: 'the new slug' })
  parseSlug(slug: string): string {
    return slug;
  }

  @Option({ flags: '--name <text>', description: 'the new name' })
  parseName(name: string): string {
    return name;
  }

  protected async work([reference]: readonly string[], options: RenameOptions): Promise<Answer> {
    const { slug, name } = options;
    if (slug === undefined && name === undefined) {
      throw new CommandLineError('Say what it is to be called: --slug, --name, or both.');
    }
    const lifecycle = await this.application.get(TenantLifecycle, 'look', options);
    return tenantAnswer(this.application, await lifecycle.update(reference, { slug, name }, byWhom(options)));
  }
}
