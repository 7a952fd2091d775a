import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { ApiRequest } from '../http/api-request';
import { setCaller } from '../http/caller';
import { principalOf } from './request-principal';

/** Tells the code that all our APIs share who the caller is: the principal, which is a different one in each tenant. */
@Injectable()
export class PrincipalCallerGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const principal = principalOf(request);
    if (principal) {
      const { tenantId = '', name } = principal;
      setCaller(request, { name: `${tenantId} ${name}`, secret: principal.credentials() });
    }
    return true;
  }
}
