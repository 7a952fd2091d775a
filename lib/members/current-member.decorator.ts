import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { principalOf } from '../access/request-principal';
import { arrivalOf, isUnknownKind, requestOf } from '../context/handler-call';

/**
 * Who sent the request, as a member of its tenant: `@CurrentMember() member: PrincipalMember`. `undefined` for an API
 * key, on a route without a tenant, and on a `@Public()` one for whoever is no member.
 */
export const CurrentMember: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) =>
    isUnknownKind(context) || arrivalOf(context) !== 'http'
      ? undefined
      : principalOf(requestOf(context))?.member,
);
