import { Command } from 'nest-commander';
import { databaseOfServer } from '../connection/servers/server-database';
import { Servers } from '../connection/servers/servers';
import { databaseLogin } from '../connection/typeorm/database-login';
import { DEFAULT_SERVER, placeOf } from '../placement/place';
import { type SpareCount, SpareState } from '../provisioning/spares/spare-state';
import { TenantStore } from '../registry/store/tenant.store';
import { EXIT } from './exit-codes';
import { table } from './table';
import { type Answer, type CommonOptions, TenancyCommand } from './tenancy-command';

interface SpareTally {
  readonly ready: number;
  readonly wanted: number;
}

/** The tenants of a server. */
interface Tally {
  tenants: number;
  databases: number;
}

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
  /** How many of them have a database of their own. */
  readonly databases: number;
  readonly spares: SpareTally | null;
  /** Of databases; `null` also where none are wanted. */
  readonly spareDatabases: SpareTally | null;
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
      [...names].map((name) =>
        this.#look(name, counts.get(name) ?? { tenants: 0, databases: 0 }, servers, state),
      ),
    );
    const reasons = rows.flatMap(({ name, reason }) => (reason === null ? [] : [`${name}: ${reason}`]));
    return {
      value: { servers: rows },
      text: [toTable(rows), ...reasons].join('\n'),
      exitCode: reasons.length > 0 ? EXIT.findings : EXIT.done,
    };
  }

  async #countTenants(options: CommonOptions): Promise<ReadonlyMap<string, Tally>> {
    const store = await this.application.get(TenantStore, 'look', options);
    const counts = new Map<string, Tally>();
    for await (const page of store.eachPage({}, PAGE_SIZE))
      for (const { server, isolation } of page.map(placeOf)) {
        const tally = counts.get(server) ?? { tenants: 0, databases: 0 };
        tally.tenants++;
        if (isolation === 'database') tally.databases++;
        counts.set(server, tally);
      }
    return counts;
  }

  async #look(name: string, tally: Tally, servers: Servers, state: SpareState): Promise<ServerRow> {
    const isNamed = servers.names.includes(name);
    const row = {
      name,
      address: isNamed ? this.#addressOf(name) : null,
      open: servers.openNames.includes(name),
      ...tally,
    };
    try {
      // The application has not started without the registry's own.
      if (name !== DEFAULT_SERVER) await servers.check(name);
    } catch (error) {
      return { ...row, reachable: false, reason: explain(error), spares: null, spareDatabases: null };
    }
    // Before its template is there, nobody can say.
    const found = await state.read(name, this.application.configured.spares).catch(() => undefined);
    const [spares, spareDatabases] = [found, found?.databases].map(tallyOf);
    return { ...row, reachable: true, reason: null, spares, spareDatabases };
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

function tallyOf(count: SpareCount | undefined): SpareTally | null {
  return count ? { ready: count.ready, wanted: count.wanted } : null;
}

function toTable(rows: readonly ServerRow[]): string {
  const withDatabases = rows.some(
    ({ databases, spareDatabases }) => databases > 0 || spareDatabases !== null,
  );
  const more = (...columns: string[]) => (withDatabases ? columns : []);
  return table(
    ['name', 'address', 'open', 'reachable', 'tenants', 'spares', ...more('databases', 'spare databases')],
    rows.map(({ name, address, open, reachable, tenants, databases, spares, spareDatabases }) => [
      name,
      address ?? '–',
      open ? 'yes' : 'no',
      reachable ? 'yes' : 'no',
      `${tenants}`,
      toText(spares),
      ...more(`${databases}`, toText(spareDatabases)),
    ]),
  );
}

function toText(tally: SpareTally | null): string {
  return tally ? `${tally.ready} of ${tally.wanted}` : '–';
}
