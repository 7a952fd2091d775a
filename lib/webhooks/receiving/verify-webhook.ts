import { WebhookInvalidError } from '../webhooks.errors';
import { standardWebhooks } from './standard-webhooks';

/** Of a request of Node's, of Express or Fastify, or of `fetch`. */
export type WebhookHeaders =
  { get(name: string): string | null } | Readonly<Record<string, string | readonly string[] | undefined>>;

/** 24 bytes or more in base64, as the specification has them, with or without what it puts before: a word is soon guessed. */
const SECRET = /^(?:whsec_)?(?:[A-Za-z0-9+/]{4}){8,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Verifies a webhook by the Standard Webhooks specification, and returns its payload. A message that is older than five
 * minutes is refused. The same message may come again: remember its `webhook-id` to do a thing once.
 *
 * @param body as it came, before anything has parsed it
 * @param secrets `whsec_…`: one, or several while a secret is replaced
 * @throws WebhookInvalidError when it is not signed with any of the secrets, too old, or no JSON
 * @throws TypeError when `body` is parsed already, or there is no secret, or one is malformed
 */
export function verifyWebhook<Payload = unknown>(
  headers: WebhookHeaders,
  body: string | Uint8Array,
  secrets: string | readonly string[],
): Payload {
  const text = textOf(body);
  const named = {
    'webhook-id': header(headers, 'webhook-id'),
    'webhook-timestamp': header(headers, 'webhook-timestamp'),
    'webhook-signature': header(headers, 'webhook-signature'),
  };
  const isValid = receiversOf(secrets).some((receiver) => isSignedBy(receiver, text, named));
  if (!isValid)
    throw new WebhookInvalidError(
      'It is not signed with a secret that this receiver knows, or it is too old.',
    );
  try {
    return JSON.parse(text) as Payload;
  } catch (error) {
    throw new WebhookInvalidError('Its body is no JSON.', { cause: error });
  }
}

type Receiver = import('standardwebhooks').Webhook;

function isSignedBy(receiver: Receiver, text: string, headers: Record<string, string>): boolean {
  try {
    receiver.verify(text, headers, { jsonParse: false });
    return true;
  } catch (error) {
    if (error instanceof standardWebhooks().WebhookVerificationError) return false;
    throw error;
  }
}

function receiversOf(secrets: string | readonly string[]): Receiver[] {
  const list: readonly unknown[] = typeof secrets === 'string' ? [secrets] : secrets;
  if (!Array.isArray(list) || list.length === 0 || !list.every(isSecret))
    throw new TypeError(
      'A webhook is verified with one or more secrets such as whsec_…, as they were shown for its endpoint.',
    );
  const { Webhook } = standardWebhooks();
  return list.map((secret) => new Webhook(secret));
}

function isSecret(secret: unknown): secret is string {
  return typeof secret === 'string' && SECRET.test(secret);
}

function textOf(body: unknown): string {
  if (typeof body === 'string') return body;
  if (body instanceof Uint8Array)
    return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString();
  throw new TypeError(
    'A webhook is verified by its body as it came: give the text or the bytes, not what was parsed of them.',
  );
}

/** `''` for a header that is missing, or that came twice: the library then refuses the message. */
function header(headers: WebhookHeaders, name: string): string {
  if (typeof headers.get === 'function') return headers.get(name) ?? '';
  const entry = Object.entries(headers).find(([each]) => each.toLowerCase() === name);
  const value: unknown = entry?.[1];
  return typeof value === 'string' ? value : '';
}
