import { Injectable } from '@nestjs/common';
import { ResourceAnswerInterceptor } from '../http/resource-answer.interceptor';
import type { ApiKey } from './api-key';
import { type ApiKeyView, toApiKeyView } from './api-key.dto';

/** Turns the key that a handler returns into the answer's body. */
@Injectable()
export class ApiKeyAnswerInterceptor extends ResourceAnswerInterceptor<ApiKey> {
  protected view(key: ApiKey): ApiKeyView {
    return toApiKeyView(key);
  }
}
