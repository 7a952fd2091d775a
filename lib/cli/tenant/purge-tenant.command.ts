import { Option, SubCommand } from 'nest-commander';
import { TenantPurge } from '../../provisioning/purge/tenant-purge';
import { list } from '../table';
import { type Answer, TenancyCommand } from '../tenancy-command';
import { type AuditedOptions, byWhom } from './audited-command';

@SubCommand({
  name: 'purge',
  arguments: '<tenant>',
  description: 'remove a deleted tenant permanently, with all its rows',
})
export class PurgeTenantCommand extends TenancyCommand<AuditedOptions> {
  protected readonly examples = ['tenancy export acme --to acme.tenant && tenancy tenant purge acme --yes'];

  @Option({ flags: '--actor <name>', description: 'who asks, for the audit (default: cli: and the user)' })
  parseActor(actor: string): string {
    return actor;
  }

  protected async work([reference]: readonly string[], options: AuditedOptions): Promise<Answer> {
    await this.confirmation.ask(
      `drop the schema of the tenant "${reference}" and all its rows, permanently`,
      options,
    );
    const purge = await this.application.get(TenantPurge, 'look', options);
    const record = await purge.purge(reference, { actor: byWhom(options).actor });
    const { slug, schemaName, rows, bytes, tables } = record;
    return {
      value: record,
      text: list({
        purged: slug,
        schema: schemaName,
        rows: `${rows} in ${Object.keys(tables).length} tables`,
        bytes: `${bytes}`,
      }),
    };
  }
}
