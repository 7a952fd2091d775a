import { Inject, Injectable } from '@nestjs/common';
import { isInteger } from '../../common/options/kinds';
import { show } from '../../common/show-value';
import { TenantContext } from '../../context/tenant-context';
import { TenantLookup } from '../../registry/cache/tenant-lookup';
import type { Tenant } from '../../registry/tenant';
import { RESOLUTION_OPTIONS, type ResolutionOptions } from '../resolution.options';
import { CarriedTokenError, CarryKeysMissingError } from './carried.errors';
import { type CarriedExpectation, type CarryKey, readCarried, signCarried } from './carried-token';

/** What a token is bound to besides its purpose. */
export interface CarriedPayload {
  /**
   * The bytes of the message, which the token is then good for and no other. Give both sides the same bytes: an object
   * has none, `JSON.stringify()` it once. Default: the token goes with any message of the purpose.
   */
  readonly payload?: string | Uint8Array;
}

export interface CarryOptions extends CarriedPayload {
  /**
   * How long the token is good, in milliseconds: an integer from 1. It begins by the clock of the machine that signs and ends by the clock of
   * the one that reads, which may be 30 s behind. Default: as long as its key is one of `carryKeys`.
   */
  readonly expiresInMs?: number;
}

/**
 * Carries a tenant through a broker, a file or a webhook: a signed text names it, so that a stranger who can write there
 * cannot choose one.
 */
@Injectable()
export class TenantCarrier {
  constructor(
    @Inject(RESOLUTION_OPTIONS) private readonly options: ResolutionOptions,
    private readonly context: TenantContext,
    private readonly lookup: TenantLookup,
  ) {}

  /** Whether there is a key to sign with. */
  get hasKeys(): boolean {
    return this.options.carryKeys !== undefined;
  }

  /**
   * A token for the tenant of the current code: at most 512 characters of ASCII, signed with the first of `carryKeys`.
   *
   * @param purpose what it is for, such as the queue's name. It is good for nothing else
   * @throws TenantRequiredError without a tenant
   * @throws CarryKeysMissingError without `carryKeys`
   * @throws RangeError for an `expiresInMs` that is no integer from 1: nobody could read such a token
   */
  carryTenant(purpose: string, options: CarryOptions = {}): string {
    return this.sign(this.context.tenant(), purpose, options);
  }

  /**
   * Runs `work` for the tenant of a token, as the registry knows it now, and returns its result.
   *
   * @throws CarriedTokenError when the token was not signed with one of `carryKeys` for this purpose and payload
   * @throws TenantNotFoundError when the tenant was purged
   * @throws TenantNotActiveError when it is suspended or deleted
   * @throws TenancyUnavailableError when the registry cannot be asked
   */
  async runCarried<T>(
    token: unknown,
    purpose: string,
    work: (tenant: Tenant) => T,
    { payload }: CarriedPayload = {},
  ): Promise<Awaited<T>> {
    const tenantId = this.read(token, { purpose, payload });
    if (tenantId === undefined) throw new CarriedTokenError('nobody', 'the token names no tenant.');
    const tenant = await this.lookup.findActive({ by: 'id', value: tenantId });
    return await this.context.run(tenant, () => work(tenant));
  }

  /** The same as `carryTenant` for a tenant, or to say that work belongs to none. @internal */
  sign(tenant: Tenant | undefined, purpose: string, { payload, expiresInMs }: CarryOptions = {}): string {
    if (expiresInMs !== undefined && !isInteger(expiresInMs, 1))
      throw new RangeError(`expiresInMs must be milliseconds, an integer from 1, not ${show(expiresInMs)}.`);
    const issuedAt = Date.now();
    const expiresAt = expiresInMs === undefined ? undefined : issuedAt + expiresInMs;
    const claims = { tenantId: tenant?.id, purpose, payload, issuedAt, expiresAt };
    return signCarried(this.#keys[0], claims);
  }

  /** The id of the tenant that a token is for, without asking whether it is there. @internal */
  read(token: unknown, expectation: CarriedExpectation): string | undefined {
    return readCarried(this.#keys, token, expectation, Date.now()).tenantId;
  }

  get #keys(): readonly CarryKey[] {
    const { carryKeys } = this.options;
    if (!carryKeys) throw new CarryKeysMissingError();
    return carryKeys;
  }
}
