import { refuseProblems } from '../../common/field-problems';
import { isInteger } from '../../common/options/kinds';
import type { WebhookClient } from '../client/webhook-client';
import { WEBHOOK_ENDPOINT_STATUSES, type WebhookEndpointStatus } from '../webhook-endpoint';
import { MAX_SECRET_OVERLAP_MS } from '../webhooks.options';

/** What a caller says about a new endpoint. */
export interface WebhookEndpointInput {
  /** `https` and a public host, at most 2,048 characters. */
  readonly url: string;
  /** At most 100 types of events: `order.shipped`, `order.*`. Default none, which means all. */
  readonly types?: readonly string[];
  /** At most 200 characters. Default `''`. */
  readonly description?: string;
}

export interface WebhookEndpointPatch extends Partial<WebhookEndpointInput> {
  /** `enabled` also ends a pause after failures, and what was kept is sent. */
  readonly status?: WebhookEndpointStatus;
}

export const MAX_TYPES = 100;
export const MAX_DESCRIPTION_LENGTH = 200;

/** As the trail has them, or the beginning of some. */
const TYPE = /^(?=.{1,100}$)[a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)*(?:\.\*)?$/;

/** @throws ValidationFailedError naming every bad field */
export function checkEndpoint(
  { url, types = [], description = '' }: WebhookEndpointInput,
  client: WebhookClient,
): Required<WebhookEndpointInput> {
  return checkEndpointPatch({ url: url ?? '', types, description }, client) as Required<WebhookEndpointInput>;
}

/**
 * The fields of a patch in the form in which they are stored.
 *
 * @throws ValidationFailedError naming every bad field
 */
export function checkEndpointPatch(
  { url, types, description, status }: WebhookEndpointPatch,
  client: WebhookClient,
): WebhookEndpointPatch {
  refuseProblems([
    [
      'url',
      url === undefined ? undefined : typeof url === 'string' ? client.urlProblem(url) : 'must be a text',
    ],
    [
      'types',
      types === undefined || isListOfTypes(types)
        ? undefined
        : `must be at most ${MAX_TYPES} types of events such as order.shipped or order.*`,
    ],
    [
      'description',
      description === undefined || isDescription(description)
        ? undefined
        : `must have at most ${MAX_DESCRIPTION_LENGTH} characters, without NUL or half of a surrogate pair`,
    ],
    [
      'status',
      status === undefined || WEBHOOK_ENDPOINT_STATUSES.includes(status)
        ? undefined
        : 'must be enabled or disabled',
    ],
  ]);
  return {
    ...(url === undefined ? {} : { url: new URL(url).href }),
    ...(types === undefined ? {} : { types: [...new Set(types)].sort() }),
    ...(description === undefined ? {} : { description }),
    ...(status === undefined ? {} : { status }),
  };
}

/** @throws ValidationFailedError unless it is an integer from 0 to 7 days */
export function checkSecretOverlap(overlapMs: number): void {
  const ok = isInteger(overlapMs, 0, MAX_SECRET_OVERLAP_MS);
  refuseProblems([['overlapMs', ok ? undefined : `must be an integer from 0 to ${MAX_SECRET_OVERLAP_MS}`]]);
}

function isListOfTypes(types: unknown): boolean {
  return (
    Array.isArray(types) &&
    types.length <= MAX_TYPES &&
    types.every((each) => typeof each === 'string' && TYPE.test(each))
  );
}

function isDescription(text: unknown): boolean {
  if (typeof text !== 'string' || /[\0\ud800-\udfff]/u.test(text)) return false;
  return [...text].length <= MAX_DESCRIPTION_LENGTH;
}
