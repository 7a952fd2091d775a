import { IfGiven, IsArray, IsInt, IsString } from '../../http/validation';
import type { ShownWebhookEndpoint, WebhookEndpoint, WebhookEndpointStatus } from '../webhook-endpoint';

// `checkEndpoint` checks URLs, types and texts, because calls from code go through it as well.

/** What a new endpoint and a change of one may say. */
class WebhookEndpointFields {
  @IfGiven()
  @IsArray()
  @IsString({ each: true })
  types?: string[];

  @IfGiven()
  @IsString()
  description?: string;
}

export class CreateWebhookEndpointBody extends WebhookEndpointFields {
  @IsString()
  url!: string;
}

export class UpdateWebhookEndpointBody extends WebhookEndpointFields {
  @IfGiven()
  @IsString()
  url?: string;

  @IfGiven()
  @IsString()
  status?: WebhookEndpointStatus;
}

export class RotateWebhookSecretBody {
  @IfGiven()
  @IsInt()
  overlapMs?: number;

  @IfGiven()
  @IsString()
  reason?: string;
}

/** An endpoint as the API shows it. `secret` is there only when it was just made. */
export type WebhookEndpointView = Omit<WebhookEndpoint, 'version'> &
  Partial<Pick<ShownWebhookEndpoint, 'secret'>>;

export function toWebhookEndpointView({
  version: _,
  ...view
}: WebhookEndpoint & Partial<Pick<ShownWebhookEndpoint, 'secret'>>): WebhookEndpointView {
  return view;
}

/** The answer without the secret, in which form it may be stored. */
export function withoutSecret(body: unknown): unknown {
  return { ...(body as WebhookEndpointView), secret: null };
}
