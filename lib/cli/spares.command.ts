import { Command, Option } from 'nest-commander';
import { Servers } from '../connection/servers/servers';
import { DEFAULT_SERVER } from '../placement/place';
import { SpareRefill } from '../provisioning/spares/spare-refill';
import { type SpareCounts, SpareState } from '../provisioning/spares/spare-state';
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
    const { names, further, openNames } = await this.application.get(Servers, purpose, options);
    const { count } = this.application.configured.spares;
    // A command that only looks is started with none, so that it makes none.
    const read = async (server: string) => ({
      ...(await state.read(server)),
      wanted: openNames.includes(server) ? count : 0,
    });
    if (further.length === 0) {
      const found = await read(DEFAULT_SERVER);
      return { value: found, text: list(toTexts(found)) };
    }
    const servers = await Promise.all(names.map((server) => orReason(server, read)));
    const sum = (of: keyof SpareCounts) => servers.reduce((total, each) => total + (each[of] ?? 0), 0);
    const reasons = servers.flatMap(({ server, reason }) =>
      reason === null ? [] : [`${server}: ${reason}`],
    );
    return {
      value: { wanted: sum('wanted'), ready: sum('ready'), stale: sum('stale'), servers },
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

function toTexts({ wanted, ready, stale }: Partial<SpareCounts>): Record<keyof SpareCounts, string> {
  return { wanted: `${wanted ?? '–'}`, ready: `${ready ?? '–'}`, stale: `${stale ?? '–'}` };
}

function toTable(servers: readonly ServerSpares[]): string {
  return table(
    ['server', 'wanted', 'ready', 'stale'],
    servers.map(({ server, ...counts }) => [server, ...Object.values(toTexts(counts))]),
  );
}
