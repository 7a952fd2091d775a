import { createHash } from 'node:crypto';

/** An event as PostgreSQL keeps it: what is hashed must not depend on how a program reads it. */
export interface StoredEvent {
  readonly id: string;
  readonly tenantId: string | null;
  readonly sequence: string;
  readonly position: string;
  readonly type: string;
  readonly actorType: string;
  readonly actorId: string | null;
  readonly subject: string | null;
  /** The JSON's exact text. */
  readonly data: string;
  /** Milliseconds since 1970, as decimal digits. */
  readonly occurredMs: string;
  readonly previousHash: string;
}

/** In front of all fields, so that another way to hash can be told from this one. */
const VERSION = '1';

/**
 * The SHA-256 of an event, in hexadecimal: of its fields in this order, each as `<bytes>:<text>`, or `-` for NULL. The length
 * in front makes two different events two different texts, wherever their fields begin and end.
 */
export function hashOfEvent(event: StoredEvent): string {
  const { previousHash, id, tenantId, sequence, position } = event;
  const { type, actorType, actorId, subject, data, occurredMs } = event;
  const hash = createHash('sha256');
  for (const field of [
    ...[VERSION, previousHash, id, tenantId, sequence, position],
    ...[type, actorType, actorId, subject, data, occurredMs],
  ]) {
    hash.update(field === null ? '-' : `${Buffer.byteLength(field)}:${field}`);
  }
  return hash.digest('hex');
}
