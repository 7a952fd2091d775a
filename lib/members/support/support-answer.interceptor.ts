import { Injectable } from '@nestjs/common';
import { ResourceAnswerInterceptor } from '../../http/resource-answer.interceptor';
import { type SupportSessionView, toSupportSessionView } from './support.dto';
import type { SupportSession } from './support-session';

/** Turns the session that a handler returns into the answer's body. */
@Injectable()
export class SupportAnswerInterceptor extends ResourceAnswerInterceptor<SupportSession> {
  protected view(session: SupportSession): SupportSessionView {
    return toSupportSessionView(session);
  }
}
