import { Injectable } from '@nestjs/common';
import { ResourceAnswerInterceptor } from '../http/resource-answer.interceptor';
import type { ApiKey } from './api-key';
import { type ApiKeyView, toApiKeyView } from './api-key.dto';

/** Shows the key that a handler gives. */
@Injectable()
export class ApiKeyAnswerInterceptor extends ResourceAnswerInterceptor<ApiKey> {
  protected view(key: ApiKey): ApiKeyView {
    return toApiKeyView(key);
  }
}
