import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import type { FieldError } from '../common/tenancy.errors';

/** `TenancyModule` was given options it cannot work with. Thrown at start, with every bad option named. */
export class InvalidTenancyOptionsError extends InvalidOptionsError {
  readonly code = 'TENANCY_OPTIONS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyModule', problems);
  }
}
