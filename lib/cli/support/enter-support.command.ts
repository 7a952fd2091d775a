import { Option, SubCommand } from 'nest-commander';
import { SupportSessions } from '../../members/support/support-sessions';
import { TenantLifecycle } from '../../provisioning/tenant-lifecycle';
import { list } from '../table';
import { AuditedCommand, type AuditedOptions, byWhom } from '../tenant/audited-command';
import type { Answer } from '../tenancy-command';

interface EnterSupportOptions extends AuditedOptions {
  readonly scopes?: readonly string[];
  readonly minutes?: number;
}

@SubCommand({
  name: 'enter',
  arguments: '<tenant>',
  description: 'begin a support session and print its credential, this once; the tenant sees it',
})
export class EnterSupportCommand extends AuditedCommand<EnterSupportOptions> {
  protected readonly examples = [
    'tenancy support enter acme --reason "ticket 4711" --scopes orders:read',
    'tenancy support enter acme --reason "ticket 4711" --scopes "orders:*" --minutes 15',
  ];

  @Option({ flags: '--scopes <list>', description: 'what may be done: orders:read,orders:write' })
  parseScopes(scopes: string): readonly string[] {
    return scopes.split(',').map((scope) => scope.trim());
  }

  @Option({ flags: '--minutes <count>', description: 'how long, from 1 to 1,440 (default: 60)' })
  parseMinutes(minutes: string): number {
    return Number(minutes);
  }

  protected async work([reference]: readonly string[], options: EnterSupportOptions): Promise<Answer> {
    const sessions = await this.application.get(SupportSessions, 'keys', options, 'TenancyMembersModule');
    const lifecycle = await this.application.get(TenantLifecycle, 'keys', options);
    const { id, slug } = await lifecycle.get(reference);
    const { actor, reason = '' } = byWhom(options);
    const { scopes = [], minutes } = options;
    const session = await sessions.enter(id, { reason, scopes, minutes }, { actor });
    return {
      value: session,
      text: list({
        credential: session.credential,
        id: session.id,
        tenant: slug,
        status: session.status,
        scopes: session.scopes.join(' '),
        until: session.expiresAt.toISOString(),
      }),
    };
  }
}
