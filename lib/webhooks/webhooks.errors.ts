import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import type { FieldError } from '../common/tenancy.errors';

/** The module cannot work with its options. Thrown at the start, and names everything that is wrong. */
export class InvalidWebhooksOptionsError extends InvalidOptionsError {
  readonly code = 'WEBHOOKS_OPTIONS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyWebhooksModule', problems);
  }
}
