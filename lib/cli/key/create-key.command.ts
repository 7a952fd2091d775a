import { Option, SubCommand } from 'nest-commander';
import type { ApiKeyInput } from '../../access/api-key-input';
import { ApiKeys } from '../../access/api-keys';
import { TenantLifecycle } from '../../provisioning/tenant-lifecycle';
import { list } from '../table';
import { AuditedCommand, type AuditedOptions, byWhom } from '../tenant/audited-command';
import type { Answer } from '../tenancy-command';

interface CreateKeyOptions extends AuditedOptions {
  readonly name?: string;
  readonly scopes?: readonly string[];
  readonly expires?: string;
  readonly ip?: readonly string[];
}

@SubCommand({
  name: 'create',
  arguments: '<tenant>',
  description: 'make a key and print it, this once; without --scopes it may do nothing',
})
export class CreateKeyCommand extends AuditedCommand<CreateKeyOptions> {
  protected readonly examples = [
    'tenancy api-key create acme --scopes orders:read,orders:write',
    'tenancy api-key create acme --name "the till" --scopes "orders:*" --ip 203.0.113.0/24 --expires 2030-12-31T00:00:00Z',
  ];

  @Option({ flags: '--name <text>', description: 'what it is for, for people (default: command line)' })
  parseName(name: string): string {
    return name;
  }

  @Option({ flags: '--scopes <list>', description: 'what it may do: orders:read,orders:write' })
  parseScopes(scopes: string): readonly string[] {
    return scopes.split(',').map((scope) => scope.trim());
  }

  @Option({ flags: '--expires <moment>', description: 'when it ends: 2030-12-31T00:00:00Z (default: never)' })
  parseExpires(moment: string): string {
    return moment;
  }

  @Option({
    flags: '--ip <address>',
    description: 'an address or CIDR range it may be used from; may be repeated',
  })
  parseIp(address: string, addresses: readonly string[] = []): readonly string[] {
    return [...addresses, address];
  }

  protected async work([reference]: readonly string[], options: CreateKeyOptions): Promise<Answer> {
    const keys = await this.application.get(ApiKeys, 'keys', options, 'TenancyAccessModule');
    const lifecycle = await this.application.get(TenantLifecycle, 'keys', options);
    const { id, slug } = await lifecycle.get(reference);
    const key = await keys.create(id, inputOf(options), byWhom(options));
    return {
      value: key,
      text: list({
        key: key.key,
        id: key.id,
        tenant: slug,
        name: key.name,
        scopes: key.scopes.join(' ') || '–',
        expires: key.expiresAt?.toISOString() ?? 'never',
      }),
    };
  }
}

function inputOf({ name = 'command line', scopes, expires, ip }: CreateKeyOptions): ApiKeyInput {
  return { name, scopes, expiresAt: expires, allowedIps: ip };
}
