import { Option, SubCommand } from 'nest-commander';
import { tenantIdOf } from '../../events/event-pages';
import { EventTrail } from '../../registry/events/event-trail';
import type { EventProblem, EventVerification } from '../../registry/events/event-verification';
import { TenantStore } from '../../registry/store/tenant.store';
import { CommandLineError } from '../cli.errors';
import { EXIT } from '../exit-codes';
import { type Answer, type CommonOptions, TenancyCommand } from '../tenancy-command';

interface VerifyOptions extends CommonOptions {
  readonly head?: { readonly sequence: string; readonly hash: string };
}

@SubCommand({
  name: 'verify',
  arguments: '[tenant]',
  description: 'look whether events of a tenant, or of all, were changed, removed or inserted',
})
export class VerifyEventsCommand extends TenancyCommand<VerifyOptions> {
  protected readonly examples = ['tenancy events verify', 'tenancy events verify acme --json'];

  @Option({
    flags: '--head <head>',
    description: "a tenant's head as an earlier run told it, kept elsewhere",
  })
  parseHead(head: string): VerifyOptions['head'] {
    const [, sequence, hash] = /^(\d{1,18}):([0-9a-f]{64})$/.exec(head) ?? [];
    if (hash === undefined)
      throw new CommandLineError('--head must be <sequence>:<hash>, as "verify" tells it.');
    return { sequence, hash };
  }

  protected async work([tenant]: readonly (string | undefined)[], options: VerifyOptions): Promise<Answer> {
    if (options.head && tenant === undefined) throw new CommandLineError('--head needs a tenant.');
    const trail = await this.application.get(EventTrail, 'look', options);
    const only = tenant === undefined ? undefined : await this.#idOf(tenant, options);
    let [tenants, checked] = [0, 0];
    const found: EventVerification[] = [];
    for await (const id of only === undefined ? trail.tenants() : [only]) {
      const result = await trail.verify(id, { known: options.head });
      tenants++;
      checked += result.checked;
      if (result.problems.length > 0 || only !== undefined) found.push(result);
    }
    const lines = found.flatMap((each) => [
      ...each.problems.map((problem) => `${each.tenantId ?? 'no tenant'}: ${textOf(problem)}`),
      ...(only !== undefined && each.head ? [`head ${each.head.sequence}:${each.head.hash}`] : []),
    ]);
    const isSound = found.every(({ problems }) => problems.length === 0);
    return {
      value: { tenants, checked, found },
      text: [
        ...lines,
        `${checked} events of ${tenants} tenants: ${isSound ? 'all as they were sealed' : 'not as they were sealed'}.`,
      ].join('\n'),
      exitCode: isSound ? EXIT.done : EXIT.findings,
    };
  }

  async #idOf(reference: string, options: CommonOptions): Promise<string> {
    return tenantIdOf(await this.application.get(TenantStore, 'look', options), reference);
  }
}

function textOf({ kind, sequence, toSequence, id }: EventProblem): string {
  const which = toSequence === undefined ? `event ${sequence}` : `events ${sequence} to ${toSequence}`;
  const what = kind === 'head' ? 'is not the last one that was sealed' : `${kind}`;
  return `${which} ${what}${id === undefined ? '' : ` (${id})`}`;
}
