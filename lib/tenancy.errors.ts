import type { FieldError } from './common/tenancy.errors';
import { TenancyError } from './common/tenancy.errors';

/** The module was given options it cannot work with. Thrown at start, with every bad option named. */
export class InvalidTenancyOptionsError extends TenancyError {
  readonly code = 'TENANCY_OPTIONS_INVALID';

  constructor(readonly problems: readonly FieldError[]) {
    super(
      `TenancyModule cannot start:\n${problems.map(({ field, message }) => `- ${field} ${message}`).join('\n')}`,
    );
  }
}
