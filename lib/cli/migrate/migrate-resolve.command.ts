import { Option, SubCommand } from 'nest-commander';
import { FleetMigrator } from '../../migrations/fleet-migrator';
import { CommandLineError } from '../cli.errors';
import { type Answer, type CommonOptions, TenancyCommand } from '../tenancy-command';

type Outcome = 'done' | 'rerun';

interface ResolveOptions extends CommonOptions {
  readonly as?: Outcome;
  readonly tenant?: string;
}

@SubCommand({
  name: 'resolve',
  arguments: '<migration>',
  description: 'say how much was done of a migration with transaction = false that did not end',
})
export class MigrateResolveCommand extends TenancyCommand<ResolveOptions> {
  protected readonly examples = [
    'tenancy migrate resolve IndexOrders1700000002000 --as rerun --tenant acme   # nothing of it is there',
    'tenancy migrate resolve IndexOrders1700000002000 --as done   # all of it is there, wherever it waits for that',
  ];

  @Option({
    flags: '--as <outcome>',
    description: 'done: all of it is there; rerun: nothing is, and the next run tries again',
  })
  parseAs(outcome: string): Outcome {
    if (outcome === 'done' || outcome === 'rerun') return outcome;
    throw new CommandLineError(`--as must be done or rerun, got "${outcome}".`);
  }

  @Option({
    flags: '-t, --tenant <tenant>',
    description: 'only in this one, by its id or slug; else wherever it waits, the template too',
  })
  parseTenant(tenant: string): string {
    return tenant;
  }

  protected async work([migration]: readonly string[], options: ResolveOptions): Promise<Answer> {
    const { as, tenant } = options;
    if (as === undefined) throw new CommandLineError('Say what you found: --as done, or --as rerun.');
    const migrator = await this.application.get(FleetMigrator, 'look', options);
    const settled = await migrator.resolve(migration, as, { tenant });
    return { value: { settled }, text: settled === 0 ? 'No schema waits for that.' : `settled: ${settled}` };
  }
}
