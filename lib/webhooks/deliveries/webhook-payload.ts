import type { TenantEvent } from '../../registry/events/tenant-event';

/** What is sent of an event. Who did it stays in the trail: a receiver need not know the operators by name. */
export function payloadOf(
  event: Pick<TenantEvent, 'id' | 'type' | 'occurredAt' | 'subject' | 'data'> & {
    readonly sequence?: string;
  },
): string {
  const { id, type, occurredAt, sequence, subject, data } = event;
  return JSON.stringify({ id, type, timestamp: occurredAt.toISOString(), sequence, subject, data });
}
