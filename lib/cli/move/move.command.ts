import { Command, Option } from 'nest-commander';
import { type Move, MOVE_HOWS, type MoveHow, type MoveVerification } from '../../moves/move';
import { MoveFailedError } from '../../moves/moves.errors';
import { TenantMover } from '../../moves/tenant-mover';
import { type Isolation, ISOLATIONS } from '../../placement/place';
import { CommandLineError, InterruptedError } from '../cli.errors';
import { oneOf } from '../option-values';
import { byWhom } from '../tenant/audited-command';
import { type Answer, type CommonOptions, TenancyCommand } from '../tenancy-command';
import { moveText } from './move-text';

interface MoveCommandOptions extends CommonOptions {
  readonly server?: string;
  readonly isolation?: Isolation;
  readonly how?: MoveHow;
  readonly verify?: MoveVerification;
  readonly actor?: string;
}

/** On the tenant's writes. */
const EFFECTS = {
  online: 'while its writes go on',
  stop: 'and stop its writes while its rows are copied',
  default: 'and stop its writes while its rows are copied where they cannot go on',
} as const;

const VERIFICATIONS: readonly MoveVerification[] = ['count', 'rows'];

@Command({
  name: 'move',
  arguments: '<tenant>',
  description: 'move a tenant to another place while it is in use',
})
export class MoveCommand extends TenancyCommand<MoveCommandOptions> {
  protected readonly examples = [
    'tenancy move acme --server eu',
    'tenancy move acme --server eu --how stop',
    'tenancy move acme --server eu --verify rows --yes --json',
  ];

  @Option({ flags: '--server <name>', description: 'where it is to live (default: where it lives)' })
  parseServer(server: string): string {
    return server;
  }

  @Option({
    flags: '--isolation <isolation>',
    description: 'in a schema of the server, or in a database of its own (default: as it is)',
    choices: [...ISOLATIONS],
  })
  parseIsolation(isolation: string): string {
    return oneOf('--isolation', isolation, ISOLATIONS);
  }

  @Option({
    flags: '--how <way>',
    description:
      'online: its writes go on; stop: they wait while its rows are copied (default: online where that is possible)',
    choices: [...MOVE_HOWS],
  })
  parseHow(how: string): string {
    return oneOf('--how', how, MOVE_HOWS);
  }

  @Option({
    flags: '--verify <what>',
    description: 'compare the numbers of rows, or all rows (default: count)',
    choices: [...VERIFICATIONS],
  })
  parseVerify(verify: string): string {
    return oneOf('--verify', verify, VERIFICATIONS);
  }

  @Option({ flags: '--actor <name>', description: 'who asks, for the audit (default: cli: and the user)' })
  parseActor(actor: string): string {
    return actor;
  }

  protected async work([tenant]: readonly string[], options: MoveCommandOptions): Promise<Answer> {
    const { server, isolation, how } = options;
    if (server === undefined && isolation === undefined)
      throw new CommandLineError('Say where the tenant is to live: --server eu.');
    await this.confirmation.ask(
      `move the tenant "${tenant}"${server === undefined ? '' : ` to the server "${server}"`}, ${EFFECTS[how ?? 'default']}`,
      options,
    );
    const mover = await this.application.get(TenantMover, 'change', options);
    const move = await this.interrupts.during((signal) => this.#move(mover, tenant, options, signal));
    return { value: move, text: moveText(tenant, move) };
  }

  async #move(
    mover: TenantMover,
    tenant: string,
    options: MoveCommandOptions,
    signal: AbortSignal,
  ): Promise<Move> {
    const { server, isolation, how, verify, json } = options;
    const { actor } = byWhom(options);
    const gauge = this.progress.begin(`moving ${tenant}`, { json });
    const place = { ...(server !== undefined && { server }), ...(isolation !== undefined && { isolation }) };
    const onProgress = ({ progress }: Move) => {
      if (progress.ofTables > 0) gauge.update(progress.tables, progress.ofTables);
    };
    try {
      const { id } = await mover.begin(tenant, place, { how, verify, actor, onProgress });
      const cancel = () =>
        void mover.cancel(id, { actor }).then(
          () => this.terminal.tell('The move is being undone. Another Ctrl-C leaves that to the sweeper.'),
          ({ message }: Error) => this.terminal.tell(`${message} It goes on to its end.`),
        );
      if (signal.aborted) cancel();
      signal.addEventListener('abort', cancel);
      return await mover.ended(id);
    } catch (error) {
      if (signal.aborted && error instanceof MoveFailedError)
        throw new InterruptedError('The move was undone: the tenant is served where it was.');
      throw error;
    } finally {
      gauge.end();
    }
  }
}
