import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { routeMetadata } from '../context/handler-call';
import { ScopeMissingError } from '../common/scope.errors';
import { grants } from '../common/scopes';
import { type ApiRequest, headerOf } from '../http/api-request';
import { setCaller } from '../http/caller';
import { TenantResolution } from '../resolution/tenant-resolution';
import type { PlatformRequest } from '../resolution/http/tenant-request';
import { ADMIN_RESOURCE, ADMIN_SCOPE } from './admin-resource';
import { MasterKeyInvalidError } from './admin.errors';
import { MasterKeyUses } from './master-key-uses';
import { MasterKeys } from './master-keys';

/** Admits requests with a master key that has the scope of the call, sets the caller, and records each use. */
@Injectable()
export class MasterKeyGuard implements CanActivate {
  constructor(
    private readonly keys: MasterKeys,
    private readonly uses: MasterKeyUses,
    private readonly resolution: TenantResolution,
  ) {}

  /**
   * @throws MasterKeyInvalidError when there is no such key
   * @throws ScopeMissingError when the key lacks the scope of the call
   * @throws TenancyUnavailableError when the keys cannot be read or the use cannot be recorded
   */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const secret = headerOf(request, 'x-master-key') ?? '';
    const key = await this.keys.find(secret);
    if (key === undefined) throw new MasterKeyInvalidError();
    const scope = this.#scopeOf(request, context);
    const granted = key.scopes === undefined || grants(key.scopes, scope);
    await this.uses.record({ name: key.name, scope, granted, ...this.#requestOf(request) });
    if (!granted) throw new ScopeMissingError(scope);
    setCaller(request, { name: key.name, secret });
    return true;
  }

  /** `tenants:read` for calls that change nothing, else `tenants:write`, where the call names no scope of its own. */
  #scopeOf({ method }: ApiRequest, context: ExecutionContext): string {
    const own = routeMetadata<string>(ADMIN_SCOPE, context);
    if (own !== undefined) return own;
    const resource = routeMetadata<string>(ADMIN_RESOURCE, context);
    return `${resource}:${method === 'GET' || method === 'HEAD' ? 'read' : 'write'}`;
  }

  #requestOf(request: ApiRequest): { method: string; path: string; ip?: string } {
    const raw = (request.raw ?? request) as PlatformRequest;
    const { url, ip } = this.resolution.requestOf(raw);
    return { method: request.method, path: url.split('?')[0], ip };
  }
}
