import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { callerOf } from './caller';
import { type ApiRequest, headerOf } from './api-request';

/** Who requests a change, and on what condition. */
export interface RequestedChange {
  /** The name of the caller. */
  readonly actor: string;
  /** The `If-Match` header. */
  readonly ifMatch: string | undefined;
}

export const ChangeRequest = createParamDecorator((_data: unknown, context: ExecutionContext) => {
  const request = context.switchToHttp().getRequest<ApiRequest>();
  return { actor: callerOf(request).name, ifMatch: headerOf(request, 'if-match') } satisfies RequestedChange;
});
