import { SubCommand } from 'nest-commander';
import { TenantLifecycle } from '../../provisioning/tenant-lifecycle';
import type { Answer } from '../tenancy-command';
import { AuditedCommand, type AuditedOptions, byWhom } from './audited-command';
import { tenantAnswer } from './tenant-answer';

@SubCommand({
  name: 'suspend',
  arguments: '<tenant>',
  description: 'refuse a tenant’s requests until it is activated',
})
export class SuspendTenantCommand extends AuditedCommand {
  protected readonly examples = ['tenancy tenant suspend acme --reason "invoice 17 is overdue"'];

  protected async work([reference]: readonly string[], options: AuditedOptions): Promise<Answer> {
    const lifecycle = await this.application.get(TenantLifecycle, 'look', options);
    return tenantAnswer(this.application, await lifecycle.suspend(reference, byWhom(options)));
  }
}

@SubCommand({ name: 'activate', arguments: '<tenant>', description: 'serve a suspended tenant again' })
export class ActivateTenantCommand extends AuditedCommand {
  protected readonly examples = ['tenancy tenant activate acme'];

  protected async work([reference]: readonly string[], options: AuditedOptions): Promise<Answer> {
    const lifecycle = await this.application.get(TenantLifecycle, 'look', options);
    return tenantAnswer(this.application, await lifecycle.activate(reference, byWhom(options)));
  }
}

@SubCommand({
  name: 'delete',
  arguments: '<tenant>',
  description: 'delete a tenant, but keep its schema and rows: its requests are refused',
})
export class DeleteTenantCommand extends AuditedCommand {
  protected readonly examples = ['tenancy tenant delete acme --reason "the contract has ended" --yes'];

  protected async work([reference]: readonly string[], options: AuditedOptions): Promise<Answer> {
    const lifecycle = await this.application.get(TenantLifecycle, 'look', options);
    const { slug } = await lifecycle.get(reference);
    await this.confirmation.ask(
      `refuse all requests of the tenant "${slug}" (restore brings it back)`,
      options,
    );
    return tenantAnswer(this.application, await lifecycle.delete(reference, byWhom(options)));
  }
}

@SubCommand({
  name: 'restore',
  arguments: '<tenant>',
  description: 'give a deleted tenant the status it had before',
})
export class RestoreTenantCommand extends AuditedCommand {
  protected readonly examples = ['tenancy tenant restore acme'];

  protected async work([reference]: readonly string[], options: AuditedOptions): Promise<Answer> {
    const lifecycle = await this.application.get(TenantLifecycle, 'look', options);
    return tenantAnswer(this.application, await lifecycle.restore(reference, byWhom(options)));
  }
}
