export const WEBHOOK_DELIVERY_STATUSES = ['pending', 'delivered', 'dead'] as const;

/** `dead`: all attempts have failed, and nothing more is tried unless someone resends it. */
export type WebhookDeliveryStatus = (typeof WEBHOOK_DELIVERY_STATUSES)[number];

/** One event on its way to one endpoint. */
export interface WebhookDelivery {
  /** UUID version 7. */
  readonly id: string;
  readonly endpointId: string;
  readonly tenantId: string;
  readonly eventId: string;
  /** The event's. */
  readonly type: string;
  readonly status: WebhookDeliveryStatus;
  /** How many attempts were made. */
  readonly attempt: number;
  readonly nextAttemptAt: Date;
  readonly createdAt: Date;
  /** When it was delivered or given up. */
  readonly finishedAt: Date | null;
}

/** One request that was sent for a delivery, and what became of it. */
export interface WebhookAttempt {
  readonly at: Date;
  /** Of the answer; `null` when there was none. */
  readonly status: number | null;
  readonly durationMs: number;
  readonly error: string | null;
}
