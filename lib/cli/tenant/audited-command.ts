import { userInfo } from 'node:os';
import { Option } from 'nest-commander';
import { type CommonOptions, TenancyCommand } from '../tenancy-command';

export interface AuditedOptions extends CommonOptions {
  readonly actor?: string;
  readonly reason?: string;
}

/** Who asks, for the tenant's audit: whoever runs the program, if nothing else is said. */
export function byWhom({ actor, reason }: AuditedOptions): { actor: string; reason?: string } {
  return { actor: actor ?? `cli:${operatingSystemUser()}`, reason };
}

function operatingSystemUser(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number without a name.
    return 'unknown';
  }
}

/** A command that is recorded in the tenant's audit. */
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
