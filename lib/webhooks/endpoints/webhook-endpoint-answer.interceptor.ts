import { Injectable } from '@nestjs/common';
import { ResourceAnswerInterceptor } from '../../http/resource-answer.interceptor';
import type { WebhookEndpoint } from '../webhook-endpoint';
import { toWebhookEndpointView, type WebhookEndpointView } from './webhook-endpoint.dto';

/** Turns the endpoint that a handler returns into the answer's body. */
@Injectable()
export class WebhookEndpointAnswerInterceptor extends ResourceAnswerInterceptor<WebhookEndpoint> {
  protected view(endpoint: WebhookEndpoint): WebhookEndpointView {
    return toWebhookEndpointView(endpoint);
  }
}
