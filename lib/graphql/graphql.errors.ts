import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import type { FieldError } from '../common/tenancy.errors';

/** The module cannot work with these options. Thrown at the start. */
export class InvalidGraphqlOptionsError extends InvalidOptionsError {
  readonly code = 'GRAPHQL_OPTIONS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyGraphqlModule', problems);
  }
}
