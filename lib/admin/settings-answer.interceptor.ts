import { Injectable } from '@nestjs/common';
import { ResourceAnswerInterceptor } from '../http/resource-answer.interceptor';
import { type AskedSettings, toSettingsView } from './setting.dto';

/** Answers with the settings that a handler returns, or with the one that was requested. */
@Injectable()
export class SettingsAnswerInterceptor extends ResourceAnswerInterceptor<AskedSettings> {
  protected view(asked: AskedSettings): object {
    return toSettingsView(asked);
  }
}
