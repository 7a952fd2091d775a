import { HttpStatus } from '@nestjs/common';
import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import { StartError } from '../common/start.errors';
import { type FieldError, TenancyError } from '../common/tenancy.errors';

/** The module cannot work with its options. Thrown at the start, and names everything that is wrong. */
export class InvalidWebhooksOptionsError extends InvalidOptionsError {
  readonly code = 'WEBHOOKS_OPTIONS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyWebhooksModule', problems);
  }
}

/** Secrets in the registry are encrypted with keys that the application was not given. Thrown at the start. */
export class WebhookKeysMissingError extends StartError {
  readonly code = 'WEBHOOK_KEYS_MISSING';

  constructor(readonly ids: readonly string[]) {
    super(
      `Secrets of webhooks are encrypted with keys that encryptionKeys lacks: ${ids.join(', ')}. Give those keys as well, and ` +
        'take one out only after WebhookSecrets.reencrypt() has been run with another.',
    );
  }
}

/** A secret cannot be decrypted, so nothing can be signed with it. */
export class WebhookSecretUnreadableError extends TenancyError {
  readonly code = 'WEBHOOK_SECRET_UNREADABLE';

  constructor(
    readonly keyId: string,
    options?: { cause?: unknown },
  ) {
    super(
      `A secret of a webhook endpoint cannot be decrypted with the key "${keyId}" of encryptionKeys: that is missing or another ` +
        'one, or the row was changed. Give the key that was used. If it is lost, rotate the secret of the endpoint.',
      options,
    );
  }
}

/** A receiver got a webhook that is not signed with a secret that it knows, is too old, or is no JSON. */
export class WebhookInvalidError extends TenancyError {
  readonly code = 'WEBHOOK_INVALID';
  override readonly statusCode = HttpStatus.BAD_REQUEST;

  constructor(reason: string, options?: { cause?: unknown }) {
    super(`The webhook is not valid. ${reason}`, options);
  }
}

/** A webhook cannot be verified, because only what was parsed of its body is left. */
export class RawBodyMissingError extends TenancyError {
  readonly code = 'RAW_BODY_MISSING';

  constructor() {
    super(
      '@VerifiedWebhook() verifies the body as it came, and the request has none: it has no body of type application/json, or the ' +
        'application parses bodies by itself, or it is one of createNestApplication(). Send JSON, and create the application ' +
        'with { rawBody: true }.',
    );
  }
}

/** The tenant has the maximum number of endpoints. */
export class WebhookEndpointLimitError extends TenancyError {
  readonly code = 'WEBHOOK_ENDPOINT_LIMIT';
  override readonly statusCode = HttpStatus.CONFLICT;

  constructor(limit: number) {
    super(
      `The tenant has ${limit} webhook endpoints, which is the maximum. Delete one that is not needed, then make another.`,
    );
  }
}

/** The endpoint was changed after the caller read it. Nothing was done. */
export class WebhookEndpointVersionError extends TenancyError {
  readonly code = 'PRECONDITION_FAILED';
  override readonly statusCode = HttpStatus.PRECONDITION_FAILED;

  constructor() {
    super(
      'The webhook endpoint does not have the version that you expected: it was changed. Read it again, then decide.',
    );
  }
}
