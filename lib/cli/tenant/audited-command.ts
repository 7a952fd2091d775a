import { userInfo } from 'node:os';
import { Option } from 'nest-commander';
import { type CommonOptions, TenancyCommand } from '../tenancy-command';

export interface AuditedOptions extends CommonOptions {
  readonly actor?: string;
  readonly reason?: string;
}

/** The actor for the tenant's audit, by default the user who runs the program. */
export function byWhom({ actor, reason }: AuditedOptions): { actor: string; reason?: string } {
  return { actor: actor ?? `cli:${operatingSystemUser()}`, reason };
}

function operatingSystemUser(): string {
  try {
    return userInfo().username;
  } catch {
    // In a container the user may be a number without a name.
    return 'unknown';
  }
}

/** A command whose action is written to the tenant's audit. */
export abstract class AuditedCommand<
  Options extends AuditedOptions = AuditedOptions,
> extends TenancyCommand<Options> {
  @Option({ flags: '--actor <name>', description: 'who asks, for the audit (default: cli: and the user)' })
  parseActor(actor: string): string {
    return actor;
  }

  @Option({ flags: '--reason <text>', description: 'why, for the audit' })
  parseReason(reason: string): string {
    return reason;
  }
}
