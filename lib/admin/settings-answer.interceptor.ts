import { Injectable } from '@nestjs/common';
import { ResourceAnswerInterceptor } from '../http/resource-answer.interceptor';
import { type AskedSettings, toSettingsView } from './setting.dto';

/** Shows the settings that a handler gives, or the one of them that was asked for. */
@Injectable()
export class SettingsAnswerInterceptor extends ResourceAnswerInterceptor<AskedSettings> {
  protected view(asked: AskedSettings): object {
    return toSettingsView(asked);
  }
}
