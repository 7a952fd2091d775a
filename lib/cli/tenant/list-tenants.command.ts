import { Option, SubCommand } from 'nest-commander';
import { Servers } from '../../connection/servers/servers';
import { DEFAULT_PLACE, type Isolation, ISOLATIONS, placeOf } from '../../placement/place';
import { type Tenant, TENANT_STATUSES, type TenantStatus } from '../../registry/tenant';
import { TenantStore } from '../../registry/store/tenant.store';
import { isUuid } from '../../registry/claim';
import { CommandLineError } from '../cli.errors';
import { integer, oneOf } from '../option-values';
import { table } from '../table';
import { type Answer, type CommonOptions, TenancyCommand } from '../tenancy-command';
import { hasSeveralServers } from './tenant-answer';

interface ListOptions extends CommonOptions {
  readonly status?: TenantStatus;
  readonly server?: string;
  readonly isolation?: Isolation;
  readonly search?: string;
  readonly limit?: number;
  readonly after?: string;
}

const DEFAULT_LIMIT = 100;

@SubCommand({ name: 'list', description: 'list tenants in the order in which they were made' })
export class ListTenantsCommand extends TenancyCommand<ListOptions> {
  protected readonly examples = [
    'tenancy tenant list --status suspended',
    'tenancy tenant list --search acme --limit 10 --json',
    'tenancy tenant list --server eu --isolation database',
  ];

  @Option({ flags: '--status <status>', description: 'only those', choices: [...TENANT_STATUSES] })
  parseStatus(status: string): string {
    return status;
  }

  @Option({ flags: '--server <name>', description: 'only those that live there' })
  parseServer(server: string): string {
    return server;
  }

  @Option({
    flags: '--isolation <isolation>',
    description: 'only those in schemas, or in databases of their own',
    choices: [...ISOLATIONS],
  })
  parseIsolation(isolation: string): string {
    return oneOf('--isolation', isolation, ISOLATIONS);
  }

  @Option({ flags: '--search <text>', description: 'a part of slug or name' })
  parseSearch(search: string): string {
    return search;
  }

  @Option({ flags: '--limit <n>', description: `how many, from 1 to 1000 (default: ${DEFAULT_LIMIT})` })
  parseLimit(limit: string): number {
    return integer('--limit', limit, 1, 1000);
  }

  @Option({ flags: '--after <id>', description: 'continue after this tenant' })
  parseAfter(id: string): string {
    if (!isUuid(id)) throw new CommandLineError(`--after must be the id of a tenant, got "${String(id)}".`);
    return id;
  }

  protected async work(_args: readonly string[], options: ListOptions): Promise<Answer> {
    const { status, server, isolation, search, limit = DEFAULT_LIMIT, after: afterId } = options;
    const store = await this.application.get(TenantStore, 'look', options);
    const found = await store.list({ limit: limit + 1, status, server, isolation, search, afterId });
    if (found.length === 0 && server !== undefined) await this.#requireServer(server, options);
    const data = found.slice(0, limit);
    const next = found.length > limit ? data.at(-1)?.id : undefined;
    const more = next === undefined ? '' : `\nThere are more: --after ${next}`;
    return {
      value: { data, after: next ?? null },
      text: toTable(data, hasSeveralServers(this.application.configured)) + more,
    };
  }

  /** The registry may name one that the options do not, so tenants decide first. */
  async #requireServer(server: string, options: CommonOptions): Promise<void> {
    const { names } = await this.application.get(Servers, 'look', options);
    if (!names.includes(server))
      throw new CommandLineError(`--server must be ${names.join(' or ')}, got "${server}".`);
  }
}

function toTable(tenants: readonly Tenant[], withServer: boolean): string {
  if (tenants.length === 0) return 'No tenant.';
  const withIsolation = tenants.some((tenant) => placeOf(tenant).isolation !== DEFAULT_PLACE.isolation);
  return table(
    [
      'slug',
      'status',
      ...(withServer ? ['server'] : []),
      ...(withIsolation ? ['isolation'] : []),
      'schema',
      'name',
    ],
    tenants.map((tenant) => [
      tenant.slug,
      tenant.status,
      ...(withServer ? [placeOf(tenant).server] : []),
      ...(withIsolation ? [placeOf(tenant).isolation] : []),
      tenant.schemaName,
      tenant.name,
    ]),
  );
}
