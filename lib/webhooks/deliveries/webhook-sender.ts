/** A request of a delivery, to be signed and sent. */
export interface WebhookRequest {
  readonly endpointId: string;
  readonly url: string;
  /** `webhook-id`, the same in each attempt. */
  readonly id: string;
  /** `webhook-timestamp`: when this attempt is made. */
  readonly at: Date;
  readonly body: string;
}

/** What the receiver has answered. */
export interface WebhookAnswer {
  /** `undefined` when there was no answer, and `error` says why. */
  readonly status?: number;
  /** The header of this name. */
  readonly retryAfter?: string;
  readonly durationMs: number;
  readonly error?: string;
}

/** Signs requests with the secrets that the endpoint has at that time, and sends them. */
export abstract class WebhookSender {
  /** Never rejects because of the receiver. @throws TenancyUnavailableError when the secrets cannot be read */
  abstract send(request: WebhookRequest): Promise<WebhookAnswer>;
}
