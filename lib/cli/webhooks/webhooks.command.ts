import { Command, Option, SubCommand } from 'nest-commander';
import { TenantLifecycle } from '../../provisioning/tenant-lifecycle';
import { WebhookDeliveries } from '../../webhooks/deliveries/webhook-deliveries';
import { CommandLineError } from '../cli.errors';
import { CommandGroup } from '../command-group';
import { EXIT } from '../exit-codes';
import { printable } from '../printable';
import { table } from '../table';
import { type Answer, type CommonOptions, TenancyCommand } from '../tenancy-command';

const MODULE = 'TenancyWebhooksModule';

@SubCommand({
  name: 'list',
  arguments: '<tenant>',
  description: 'list the webhook endpoints of a tenant, and what waits for them or was given up',
})
export class ListWebhooksCommand extends TenancyCommand {
  protected readonly examples = ['tenancy webhooks list acme', 'tenancy webhooks list acme --json'];

  protected async work([reference]: readonly string[], options: CommonOptions): Promise<Answer> {
    const deliveries = await this.application.get(WebhookDeliveries, 'look', options, MODULE);
    const lifecycle = await this.application.get(TenantLifecycle, 'look', options);
    const { id, slug } = await lifecycle.get(reference);
    const endpoints = await deliveries.summarize(id);
    const rows = endpoints.map(
      ({ id: endpoint, url, status, pending, dead, firstFailedAt, disabledReason }) =>
        [
          endpoint,
          url,
          status,
          `${pending}`,
          `${dead}`,
          firstFailedAt?.toISOString() ?? '–',
          disabledReason ?? '–',
        ].map(printable),
    );
    const titles = ['endpoint', 'url', 'status', 'pending', 'dead', 'fails since', 'disabled because'];
    const isSound = endpoints.every(({ dead, status }) => dead === 0 && status === 'enabled');
    return {
      value: { endpoints },
      text: endpoints.length === 0 ? `${slug} has no webhook endpoints.` : table(titles, rows),
      exitCode: isSound ? EXIT.done : EXIT.findings,
    };
  }
}

interface ResendOptions extends CommonOptions {
  readonly since?: Date;
  readonly delivery?: string;
  readonly delivered?: boolean;
}

@SubCommand({
  name: 'resend',
  arguments: '<tenant> <endpoint>',
  description: 'send again what was given up since a time, or one delivery',
})
export class ResendWebhooksCommand extends TenancyCommand<ResendOptions> {
  protected readonly examples = [
    'tenancy webhooks resend acme 01930000-0000-7000-8000-000000000001 --since 2026-11-30T12:00:00Z',
    'tenancy webhooks resend acme 01930000-0000-7000-8000-000000000001 --delivery 01930000-0000-7000-8000-000000000002',
  ];

  @Option({
    flags: '--since <moment>',
    description: 'all dead ones that were made since: 2026-11-30T12:00:00Z',
  })
  parseSince(moment: string): Date {
    const since = new Date(moment);
    if (Number.isNaN(since.getTime()) || !/(?:Z|[+-]\d\d:\d\d)$/.test(moment))
      throw new CommandLineError(`--since ${moment}: write a moment such as 2026-11-30T12:00:00Z.`);
    return since;
  }

  @Option({
    flags: '--delivered',
    description: 'with --since: those that have arrived, in place of dead ones',
  })
  parseDelivered(): boolean {
    return true;
  }

  @Option({ flags: '--delivery <id>', description: 'this one, whatever has become of it' })
  parseDelivery(id: string): string {
    return id;
  }

  protected async work([reference, endpoint]: readonly string[], options: ResendOptions): Promise<Answer> {
    const { since, delivery, delivered } = options;
    if ((since === undefined) === (delivery === undefined))
      throw new CommandLineError('Say what to send again: --since <moment> or --delivery <id>.');
    const deliveries = await this.application.get(WebhookDeliveries, 'look', options, MODULE);
    const lifecycle = await this.application.get(TenantLifecycle, 'look', options);
    const { id } = await lifecycle.get(reference);
    if (delivery !== undefined) await deliveries.resend(id, endpoint, delivery);
    const count =
      since === undefined
        ? 1
        : await deliveries.resendSince(id, endpoint, { since, status: delivered ? 'delivered' : 'dead' });
    return { value: { count }, text: `${count} will be sent again by the instances of the application.` };
  }
}

@Command({
  name: 'webhooks',
  description: 'look at webhooks and send them again, in an application with TenancyWebhooksModule',
  subCommands: [ListWebhooksCommand, ResendWebhooksCommand],
})
export class WebhooksCommand extends CommandGroup {}
