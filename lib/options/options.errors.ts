import type { FieldError } from '../common/tenancy.errors';
import { StartError } from '../common/tenancy.errors';

/** The module was given options it cannot work with. Thrown at start, with every bad option named. */
export class InvalidTenancyOptionsError extends StartError {
  readonly code = 'TENANCY_OPTIONS_INVALID';
  declare readonly problems: readonly FieldError[];

  constructor(problems: readonly FieldError[]) {
    super(
      `TenancyModule cannot start:\n${problems.map(({ field, message }) => `- ${field} ${message}`).join('\n')}`,
      { details: { problems } },
    );
  }
}
