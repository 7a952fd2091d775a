import { Injectable } from '@nestjs/common';
import { ResourceAnswerInterceptor } from '../http/resource-answer.interceptor';
import type { SettingsSnapshot } from './tenant-settings';

/** Answers with the settings as the tenant sees them: values by their keys. */
@Injectable()
export class OwnSettingsInterceptor extends ResourceAnswerInterceptor<SettingsSnapshot> {
  protected view({ settings }: SettingsSnapshot): Record<string, unknown> {
    return Object.fromEntries(settings.map(({ key, value }) => [key, value]));
  }
}
