import { Injectable, Logger } from '@nestjs/common';
import { WebhookClient } from '../client/webhook-client';
import { WebhookFailure } from '../client/webhook-failure';
import { signedHeaders } from '../secrets/signature';
import { WebhookSecrets } from '../secrets/webhook-secrets';
import { WebhookSecretUnreadableError } from '../webhooks.errors';
import { WebhookEndpointNotFoundError } from './deliveries.errors';
import type { WebhookAnswer, WebhookRequest, WebhookSender } from './webhook-sender';

/** Signs with the secrets of the registry, and sends to public addresses. */
@Injectable()
export class SignedWebhookSender implements WebhookSender {
  readonly #logger = new Logger('Tenancy');
  /** Ids of keys that are missing, each told once. */
  readonly #told = new Set<string>();

  constructor(
    private readonly secrets: WebhookSecrets,
    private readonly client: WebhookClient,
  ) {}

  async send({ endpointId, url, id, at, body }: WebhookRequest): Promise<WebhookAnswer> {
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'nestjs-tenancy',
      ...signedHeaders({ id, at, body }, await this.#secretsOf(endpointId)),
    };
    const startedAt = performance.now();
    const durationMs = () => Math.round(performance.now() - startedAt);
    try {
      return { ...(await this.client.post(url, body, headers)), durationMs: durationMs() };
    } catch (error) {
      if (!(error instanceof WebhookFailure)) throw error;
      return { error: error.message, durationMs: durationMs() };
    }
  }

  /** The worker tries again after a while, and says nothing. */
  async #secretsOf(endpointId: string): Promise<string[]> {
    try {
      const secrets = await this.secrets.of(endpointId);
      // They go with an endpoint that is deleted while it is sent to. Nothing is ever sent without a signature.
      if (secrets.length === 0) throw new WebhookEndpointNotFoundError();
      return secrets;
    } catch (error) {
      if (error instanceof WebhookSecretUnreadableError && !this.#told.has(error.keyId)) {
        this.#told.add(error.keyId);
        this.#logger.error(`${error.message} Until then nothing is sent to it.`);
      }
      throw error;
    }
  }
}
