import { Command, Option, SubCommand } from 'nest-commander';
import type { Move } from '../../moves/move';
import { TenantMover } from '../../moves/tenant-mover';
import { TenantStore } from '../../registry/store/tenant.store';
import { CommandGroup } from '../command-group';
import { table } from '../table';
import { type AuditedOptions, byWhom } from '../tenant/audited-command';
import { type Answer, type CommonOptions, TenancyCommand } from '../tenancy-command';
import { behindText, moveText, placeText, progressText } from './move-text';

abstract class MovesSubCommand<
  Options extends CommonOptions = CommonOptions,
> extends TenancyCommand<Options> {
  protected mover(options: CommonOptions): Promise<TenantMover> {
    return this.application.get(TenantMover, 'look', options);
  }

  /** The slug of the tenant; its id when it is purged. */
  protected async slugOf({ tenantId }: Move, options: CommonOptions): Promise<string> {
    const store = await this.application.get(TenantStore, 'look', options);
    return (await store.find({ by: 'id', value: tenantId }))?.slug ?? tenantId;
  }

  protected async answer(move: Move, options: CommonOptions): Promise<Answer> {
    return { value: move, text: moveText(await this.slugOf(move, options), move) };
  }
}

@SubCommand({
  name: 'list',
  arguments: '[tenant]',
  description: 'list the moves that are under way, or all of a tenant, the latest first',
})
export class ListMovesCommand extends MovesSubCommand {
  protected readonly examples = ['tenancy moves list', 'tenancy moves list acme --json'];

  protected async work([tenant]: readonly (string | undefined)[], options: CommonOptions): Promise<Answer> {
    const mover = await this.mover(options);
    const data = await (tenant === undefined ? mover.listOpen() : mover.list(tenant));
    if (data.length === 0)
      return {
        value: { data },
        text: tenant === undefined ? 'No move is under way.' : 'It was never moved.',
      };
    const rows = data.map(async (move) => [
      move.id,
      await this.slugOf(move, options),
      move.state,
      placeText(move.from),
      placeText(move.to),
      progressText(move),
      behindText(move),
      move.startedAt.toISOString(),
    ]);
    const head = ['id', 'tenant', 'state', 'from', 'to', 'copied', 'behind', 'began'];
    return { value: { data }, text: table(head, await Promise.all(rows)) };
  }
}

@SubCommand({ name: 'show', arguments: '<move>', description: 'tell how far a move is, by its id' })
export class ShowMoveCommand extends MovesSubCommand {
  protected readonly examples = ['tenancy moves show 0198c9a4-5c1e-7000-8000-2b0f4d1c6a7e'];

  protected async work([id]: readonly string[], options: CommonOptions): Promise<Answer> {
    return this.answer(await (await this.mover(options)).find(id), options);
  }
}

@SubCommand({
  name: 'cancel',
  arguments: '<move>',
  description: 'stop a move that can still be undone; its worker undoes it soon',
})
export class CancelMoveCommand extends MovesSubCommand<AuditedOptions> {
  protected readonly examples = ['tenancy moves cancel 0198c9a4-5c1e-7000-8000-2b0f4d1c6a7e'];

  @Option({ flags: '--actor <name>', description: 'who asks, for the record (default: cli: and the user)' })
  parseActor(actor: string): string {
    return actor;
  }

  protected async work([id]: readonly string[], options: AuditedOptions): Promise<Answer> {
    const mover = await this.mover(options);
    return this.answer(await mover.cancel(id, { actor: byWhom(options).actor }), options);
  }
}

@Command({
  name: 'moves',
  description: 'look at moves of tenants, and stop one',
  subCommands: [ListMovesCommand, ShowMoveCommand, CancelMoveCommand],
})
export class MovesCommand extends CommandGroup {}
