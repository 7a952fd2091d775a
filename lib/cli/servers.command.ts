import { Command } from 'nest-commander';
import { databaseOfServer } from '../connection/servers/server-database';
import { Servers } from '../connection/servers/servers';
import { databaseLogin } from '../connection/typeorm/database-login';
import { DEFAULT_SERVER, placeOf } from '../placement/place';
import { SpareState } from '../provisioning/spares/spare-state';
import { TenantStore } from '../registry/store/tenant.store';
import { EXIT } from './exit-codes';
import { table } from './table';
import { type Answer, type CommonOptions, TenancyCommand } from './tenancy-command';

/** A server as the command shows it. `null` is what cannot be known. */
interface ServerRow {
  readonly name: string;
  /** Host, port and database; `null` for one that the options do not name. */
  readonly address: string | null;
  /** Whether it takes new tenants. */
  readonly open: boolean;
  readonly reachable: boolean;
  /** Why it is not. */
  readonly reason: string | null;
  readonly tenants: number;
  readonly spares: { readonly ready: number; readonly wanted: number } | null;
}

const PAGE_SIZE = 1_000;

@Command({
  name: 'servers',
  description: 'tell which servers there are, whether they answer, and how many tenants and spares each has',
})
export class ServersCommand extends TenancyCommand {
  protected readonly examples = ['tenancy servers', 'tenancy servers --json'];

  protected async work(_args: readonly string[], options: CommonOptions): Promise<Answer> {
    const servers = await this.application.get(Servers, 'look', options);
    const counts = await this.#countTenants(options);
    // The registry may name more than the options do.
    const names = new Set([...servers.names, ...counts.keys()]);
    const state = await this.application.get(SpareState, 'look', options);
    const rows = await Promise.all(
      [...names].map((name) => this.#look(name, counts.get(name) ?? 0, servers, state)),
    );
    const reasons = rows.flatMap(({ name, reason }) => (reason === null ? [] : [`${name}: ${reason}`]));
    return {
      value: { servers: rows },
      text: [toTable(rows), ...reasons].join('\n'),
      exitCode: reasons.length > 0 ? EXIT.findings : EXIT.done,
    };
  }

  async #countTenants(options: CommonOptions): Promise<ReadonlyMap<string, number>> {
    const store = await this.application.get(TenantStore, 'look', options);
    const counts = new Map<string, number>();
    for await (const page of store.eachPage({}, PAGE_SIZE))
      for (const { server } of page.map(placeOf)) counts.set(server, (counts.get(server) ?? 0) + 1);
    return counts;
  }

  async #look(name: string, tenants: number, servers: Servers, state: SpareState): Promise<ServerRow> {
    const isNamed = servers.names.includes(name);
    const row = {
      name,
      address: isNamed ? this.#addressOf(name) : null,
      open: servers.openNames.includes(name),
      tenants,
    };
    try {
      // The application has not started without the registry's own.
      if (name !== DEFAULT_SERVER) await servers.check(name);
    } catch (error) {
      return { ...row, reachable: false, reason: explain(error), spares: null };
    }
    const wanted = row.open ? this.application.configured.spares.count : 0;
    // Before its template is there, nobody can say.
    const found = await state.read(name).catch(() => undefined);
    return { ...row, reachable: true, reason: null, spares: found ? { ready: found.ready, wanted } : null };
  }

  #addressOf(name: string): string {
    const { address, database } = databaseLogin(
      databaseOfServer(this.application.configured, name),
      'database.url',
    );
    return `${address}/${database}`;
  }
}

function explain(error: unknown): string {
  const { message, cause } = error as Error;
  const reason = cause instanceof Error ? cause.message || (cause as { code?: string }).code : undefined;
  return reason === undefined || message.includes(reason) ? message : `${message} ${reason}`;
}

function toTable(rows: readonly ServerRow[]): string {
  return table(
    ['name', 'address', 'open', 'reachable', 'tenants', 'spares'],
    rows.map(({ name, address, open, reachable, tenants, spares }) => [
      name,
      address ?? '–',
      open ? 'yes' : 'no',
      reachable ? 'yes' : 'no',
      `${tenants}`,
      spares ? `${spares.ready} of ${spares.wanted}` : '–',
    ]),
  );
}
