import { createHash, timingSafeEqual } from 'node:crypto';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { MasterKeyInvalidError, MasterKeyMissingError } from './admin.errors';
import { ADMIN_OPTIONS, MIN_MASTER_KEY_LENGTH, type TenancyAdminOptions } from './admin.options';

/** Lets in who sends the master key. */
@Injectable()
export class MasterKeyGuard implements CanActivate {
  readonly #digest: Buffer;

  /** @throws MasterKeyMissingError */
  constructor(@Inject(ADMIN_OPTIONS) options: TenancyAdminOptions | undefined) {
    this.#digest = digest(checkMasterKey(options?.masterKey));
  }

  /** @throws MasterKeyInvalidError */
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string | undefined> }>();
    // Digests have one length, so the time of the comparison says nothing, not even how long the key is.
    if (!timingSafeEqual(digest(headers['x-master-key'] ?? ''), this.#digest))
      throw new MasterKeyInvalidError();
    return true;
  }
}

/** What a header can carry: HTTP trims white space, and characters beyond ASCII arrive as others. */
const CARRIED_BY_HEADERS = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

function checkMasterKey(key: unknown): string {
  if (typeof key !== 'string' || key.length < MIN_MASTER_KEY_LENGTH) {
    throw new MasterKeyMissingError(typeof key === 'string' ? `one of ${key.length}` : 'none');
  }
  if (!CARRIED_BY_HEADERS.test(key)) {
    throw new MasterKeyMissingError(
      'one with white space around it, such as a line feed at its end, or with characters that are not ASCII',
    );
  }
  return key;
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
