import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { principalOf } from './request-principal';

/** Who sent the request: `@CurrentPrincipal() principal: Principal`. `undefined` on a `@Public()` route if nobody said so. */
export const CurrentPrincipal: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => principalOf(context.switchToHttp().getRequest<object>()),
);
