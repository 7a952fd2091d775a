import { Command, Option } from 'nest-commander';
import { Servers } from '../connection/servers/servers';
import { DEFAULT_SERVER } from '../placement/place';
import { SpareRefill } from '../provisioning/spares/spare-refill';
import { type SpareCount, type SpareCounts, SpareState } from '../provisioning/spares/spare-state';
import { EXIT } from './exit-codes';
import { list, table } from './table';
import { type Answer, type CommonOptions, TenancyCommand } from './tenancy-command';

interface SparesCommandOptions extends CommonOptions {
  readonly refill?: boolean;
}

/** What is printed of a server: its counts, or why it could not be asked. */
interface ServerSpares extends Partial<SpareCounts> {
  readonly server: string;
  readonly reason: string | null;
}

@Command({
  name: 'spares',
  description: 'tell how many spares are ready, or make the missing ones, on every server',
})
export class SparesCommand extends TenancyCommand<SparesCommandOptions> {
  protected readonly examples = ['tenancy spares', 'tenancy spares --refill --json'];

  @Option({ flags: '--refill', description: 'make the missing ones, and drop those of an older template' })
  parseRefill(): boolean {
    return true;
  }

  protected async work(_args: readonly string[], options: SparesCommandOptions): Promise<Answer> {
    const purpose = options.refill ? 'spares' : 'look';
    const state = await this.application.get(SpareState, purpose, options);
    if (options.refill) await (await this.application.get(SpareRefill, purpose, options)).refill();
    const { names, further } = await this.application.get(Servers, purpose, options);
    // A command that only looks is started with none, so that it makes none.
    const read = (server: string) => state.read(server, this.application.configured.spares);
    if (further.length === 0) {
      const found = await read(DEFAULT_SERVER);
      return { value: found, text: list(toTexts(found)) };
    }
    const servers = await Promise.all(names.map((server) => orReason(server, read)));
    const databases = servers.flatMap(({ databases }) => databases ?? []);
    const reasons = servers.flatMap(({ server, reason }) =>
      reason === null ? [] : [`${server}: ${reason}`],
    );
    return {
      value: { ...sum(servers), ...(databases.length > 0 && { databases: sum(databases) }), servers },
      text: [toTable(servers), ...reasons].join('\n'),
      exitCode: reasons.length > 0 ? EXIT.findings : EXIT.done,
    };
  }
}

/** One that is away keeps nobody from reading of the others. */
async function orReason(
  server: string,
  read: (server: string) => Promise<SpareCounts>,
): Promise<ServerSpares> {
  try {
    return { server, ...(await read(server)), reason: null };
  } catch (error) {
    return { server, reason: (error as Error).message };
  }
}

function sum(counts: readonly Partial<SpareCount>[]): SpareCount {
  const of = (name: keyof SpareCount) => counts.reduce((total, each) => total + (each[name] ?? 0), 0);
  return { wanted: of('wanted'), ready: of('ready'), stale: of('stale') };
}

function toTexts({ wanted, ready, stale, databases }: Partial<SpareCounts>): Record<string, string> {
  return {
    wanted: `${wanted ?? '–'}`,
    ready: `${ready ?? '–'}`,
    stale: `${stale ?? '–'}`,
    ...(databases && { databases: `${databases.ready} of ${databases.wanted}, ${databases.stale} stale` }),
  };
}

function toTable(servers: readonly ServerSpares[]): string {
  const texts: Record<string, string>[] = servers.map((each) => ({
    server: each.server,
    ...toTexts(each),
  }));
  const withDatabases = texts.some(({ databases }) => databases !== undefined);
  const columns = ['server', 'wanted', 'ready', 'stale', ...(withDatabases ? ['databases'] : [])];
  return table(
    columns,
    texts.map((row) => columns.map((column) => row[column] ?? '–')),
  );
}
