import { randomBytes } from 'node:crypto';
import { standardWebhooks } from '../receiving/standard-webhooks';

/** As many as the signature has. The specification asks for 24 to 64. */
const SECRET_BYTES = 32;

/** A new secret in the form of the specification: `whsec_` and base64. */
export function newSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
}

export interface SignedMessage {
  readonly id: string;
  readonly at: Date;
  readonly body: string;
}

/** The headers of a message, with one signature for each secret. A receiver that knows one of them can verify it. */
export function signedHeaders(
  { id, at, body }: SignedMessage,
  secrets: readonly string[],
): Record<string, string> {
  const { Webhook } = standardWebhooks();
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
  };
}
