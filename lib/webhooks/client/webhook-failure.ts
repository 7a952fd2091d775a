import { messageWithCause } from '../../common/error-message';

/** Why a request has no answer. The tenant reads the message, so it tells nothing of our network. */
export class WebhookFailure extends Error {
  constructor(
    /** `refused`: it was not sent, because the URL or an address of its host may not be called. */
    readonly kind: 'refused' | 'unknown-host' | 'timeout' | 'failed',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'WebhookFailure';
  }

  /** That of an error of Node's: it may have a code and no text. */
  static of(error: unknown): WebhookFailure {
    if (error instanceof WebhookFailure) return error;
    const [first = error] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
    return new WebhookFailure('failed', messageWithCause(first), { cause: error });
  }
}
