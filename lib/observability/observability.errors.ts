import { StartError } from '../common/tenancy.errors';

/** The module was configured with something that it cannot work by. Thrown at start; all that is wrong is named. */
export class InvalidObservabilityOptionsError extends StartError {
  readonly code = 'OBSERVABILITY_OPTIONS_INVALID';
  declare readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `TenancyObservabilityModule cannot work:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
      { details: { problems } },
    );
  }
}
