import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import { type FieldError } from '../common/tenancy.errors';

/** The module was configured with something that it cannot work by. Thrown at start; all that is wrong is named. */
export class InvalidObservabilityOptionsError extends InvalidOptionsError {
  readonly code = 'OBSERVABILITY_OPTIONS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyObservabilityModule', problems);
  }
}
