import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { arrivalOf, isUnknownKind, requestOf } from '../context/handler-call';
import { principalOf } from './request-principal';

/**
 * Who sent the request: `@CurrentPrincipal() principal: Principal`. `undefined` on a `@Public()` route without a
 * credential.
 */
export const CurrentPrincipal: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) =>
    isUnknownKind(context) || arrivalOf(context) !== 'http' ? undefined : principalOf(requestOf(context)),
);
