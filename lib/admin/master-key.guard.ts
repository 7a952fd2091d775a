import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { setCaller } from '../http/caller';
import { type ApiRequest, headerOf } from '../http/api-request';
import { MasterKeyInvalidError } from './admin.errors';
import { MasterKeys } from './master-keys';

/** Lets in who sends a master key, and notes whose it is. */
@Injectable()
export class MasterKeyGuard implements CanActivate {
  constructor(private readonly keys: MasterKeys) {}

  /** @throws MasterKeyInvalidError, TenancyUnavailableError */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const secret = headerOf(request, 'x-master-key') ?? '';
    const name = await this.keys.nameOf(secret);
    if (name === undefined) throw new MasterKeyInvalidError();
    setCaller(request, { name, secret });
    return true;
  }
}
