import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { freezeDeeply } from '../common/freeze-deeply';
import { LOOKUPS_DATA_SOURCE } from '../registry/registry';
import { type RegistryLookup, RegistryLookups } from '../registry/cache/registry-lookup';
import type { RequestClaim, TenantRequest } from '../resolution/resolvers/tenant-resolver';
import {
  type CredentialDetails,
  leaveCredential,
  VerifiedCredential,
} from '../resolution/resolvers/verified-credential';
import { RegistryTime } from '../registry/registry-time';
import { inRegistry } from '../registry/store/registry-transaction';
import {
  ApiKeyAddressError,
  ApiKeyBlockedError,
  ApiKeyExpiredError,
  ApiKeyInvalidError,
  ApiKeyMalformedError,
  ApiKeyRevokedError,
} from './access.errors';
import { ACCESS_OPTIONS, type CheckedAccessOptions } from './access.options';
import { allowedIps } from '../http/allowed-ips';
import { ApiKeyRows, type KeySecrets } from './api-key-rows';
import { ApiKeyUses } from './api-key-uses';
import { statusOf } from './api-key';
import { isKeyOf, type ParsedKey, parseKey } from './key-text';

/** A key whose text was correct. */
interface KnownKey {
  readonly tenantId: string;
  readonly secrets: KeySecrets;
  /** For a text from before the last rotation: until when it is valid. */
  readonly until: Date | null;
  readonly allows: (address: string | undefined) => boolean;
  readonly claim: RequestClaim;
  readonly details: CredentialDetails;
}

/**
 * Finds the tenant of a key by the key's text. Answers are cached by the SHA-256 of the whole text, both for correct
 * and for wrong texts. So a wrong secret for an existing id costs one query, and so does an unknown id.
 */
@Injectable()
export class ApiKeyAuthentication {
  readonly #keys: RegistryLookup<ParsedKey, KnownKey>;

  constructor(
    @InjectDataSource(LOOKUPS_DATA_SOURCE) private readonly registry: DataSource,
    private readonly rows: ApiKeyRows,
    private readonly uses: ApiKeyUses,
    private readonly time: RegistryTime,
    @Inject(ACCESS_OPTIONS) { cache }: CheckedAccessOptions,
    lookups: RegistryLookups,
  ) {
    this.#keys = lookups.make<ParsedKey, KnownKey>({
      askAll: (keys) => this.#ask(keys),
      tenantIdOf: ({ tenantId }) => tenantId,
      cache,
    });
  }

  /**
   * The claim of a key that may be used now and from the request's address. The credential is left with the request.
   *
   * @throws ApiKeyMalformedError, ApiKeyInvalidError, ApiKeyRevokedError, ApiKeyExpiredError, ApiKeyBlockedError,
   * ApiKeyAddressError when the key must be refused
   * @throws TenancyUnavailableError when the registry cannot be reached
   */
  claimOf(request: TenantRequest, text: string): RequestClaim | Promise<RequestClaim> {
    const parsed = parseKey(text);
    if (!parsed) throw new ApiKeyMalformedError();
    const name = parsed.digest.toString('base64');
    const known = this.#keys.remembered(name);
    if (known) return this.#admit(request, text, known);
    return this.#keys.find(name, parsed).then((found) => this.#admit(request, text, found));
  }

  /**
   * Drops the cached keys of a tenant whose keys were changed in this process. Other instances learn of it from the
   * change feed.
   */
  forget(tenantId: string): void {
    this.#keys.forget(tenantId);
  }

  /** How many keys are cached, correct and wrong ones, and how many wait for an answer. */
  get size(): RegistryLookup<ParsedKey, KnownKey>['size'] {
    return this.#keys.size;
  }

  #admit(request: TenantRequest, text: string, known: KnownKey | undefined): RequestClaim {
    const now = this.time.now().getTime();
    // When the overlap of a rotation is over, an old text is as wrong as any other.
    if (!known || (known.until && known.until.getTime() <= now)) throw new ApiKeyInvalidError();
    refuseUnusable(known.secrets, now);
    if (!known.allows(request.ip)) throw new ApiKeyAddressError();
    this.uses.record(known.secrets.id);
    leaveCredential(request.raw, new VerifiedCredential(text, known.details));
    return known.claim;
  }

  async #ask(keys: readonly ParsedKey[]): Promise<(KnownKey | undefined)[]> {
    const ids = keys.map(({ id }) => id);
    const rows = await inRegistry(this.registry, (transaction) => this.rows.findSecrets(transaction, ids));
    const byId = new Map(rows.map((row) => [row.id, row]));
    return keys.map((key) => compare(byId.get(key.id), key));
  }
}

/** Takes the same time for every input: it always compares with both texts. */
function compare(secrets: KeySecrets | undefined, key: ParsedKey): KnownKey | undefined {
  const isCurrent = isKeyOf(secrets?.digest, key);
  const isPrevious = isKeyOf(secrets?.previousDigest, key);
  if (!secrets || !(isCurrent || isPrevious)) return undefined;
  const { id, tenantId, scopes } = secrets;
  return {
    tenantId,
    secrets,
    until: isCurrent ? null : secrets.previousUntil,
    allows: allowedIps(secrets.allowedIps),
    claim: Object.freeze({ by: 'id', value: tenantId }),
    details: freezeDeeply({
      type: 'api_key',
      subject: id,
      name: `api key ${id}`,
      scopes,
      namesTenant: true,
      tenantId,
    }),
  };
}

function refuseUnusable(secrets: KeySecrets, now: number): void {
  switch (statusOf(secrets, now)) {
    case 'revoked':
      throw new ApiKeyRevokedError('use');
    case 'expired':
      throw new ApiKeyExpiredError();
    case 'blocked':
      throw new ApiKeyBlockedError();
    case 'active':
  }
}
