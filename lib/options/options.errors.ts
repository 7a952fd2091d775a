import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import type { FieldError } from '../common/tenancy.errors';

/** `TenancyModule` was given options that it cannot work with. Thrown at the start, and names every bad option. */
export class InvalidTenancyOptionsError extends InvalidOptionsError {
  readonly code = 'TENANCY_OPTIONS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyModule', problems);
  }
}
