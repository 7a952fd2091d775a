export const WEBHOOK_ENDPOINT_STATUSES = ['enabled', 'disabled'] as const;

/** Only `enabled` endpoints are sent to. */
export type WebhookEndpointStatus = (typeof WEBHOOK_ENDPOINT_STATUSES)[number];

/** Where a tenant wants to be told of its events. Its secrets are not shown. */
export interface WebhookEndpoint {
  /** UUID version 7. */
  readonly id: string;
  readonly tenantId: string;
  readonly url: string;
  /** Types of events that are sent: `order.shipped`, `order.*`. Empty: all. */
  readonly types: readonly string[];
  /** What it is for, written for people. */
  readonly description: string;
  readonly status: WebhookEndpointStatus;
  /** Why it is disabled, by whoever or whatever disabled it. */
  readonly disabledReason: string | null;
  /** Since when nothing has arrived; `null` while deliveries arrive. */
  readonly firstFailedAt: Date | null;
  /** Until when the secret from before the last rotation signs as well. */
  readonly oldSecretExpiresAt: Date | null;
  /** Begins at 1 and rises with every change that a caller or the module makes. */
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** An endpoint just after it was made or its secret was rotated, the only moment at which the secret is known. */
export interface ShownWebhookEndpoint extends WebhookEndpoint {
  /** `whsec_…`, for the receiver. */
  readonly secret: string;
}
