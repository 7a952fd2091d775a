import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { isKeyOf, type ParsedKey, parseKey } from '../../access/key-text';
import { freezeDeeply } from '../../common/freeze-deeply';
import { type RegistryLookup, RegistryLookups } from '../../registry/cache/registry-lookup';
import { LOOKUPS_DATA_SOURCE } from '../../registry/registry';
import { RegistryTime } from '../../registry/registry-time';
import { inRegistry } from '../../registry/store/registry-transaction';
import type { RequestClaim, TenantRequest } from '../../resolution/resolvers/tenant-resolver';
import {
  type CredentialDetails,
  leaveCredential,
  VerifiedCredential,
} from '../../resolution/resolvers/verified-credential';
import { type CheckedMembersOptions, MEMBERS_OPTIONS } from '../members.options';
import {
  SupportEndedError,
  SupportKeyInvalidError,
  SupportNotApprovedError,
  SupportOverSocketError,
} from './support.errors';
import { SupportRows, type SupportSecrets } from './support-rows';
import { supportStatus } from './support-session';

/** A session whose credential was correct. */
interface KnownSession {
  readonly tenantId: string;
  readonly secrets: SupportSecrets;
  readonly claim: RequestClaim;
  readonly details: CredentialDetails;
}

/** Finds the session of a credential, as those of API keys are found. What an outage leaves in the cache lets nobody in. */
@Injectable()
export class SupportAuthentication {
  readonly #sessions: RegistryLookup<ParsedKey, KnownSession>;

  constructor(
    @InjectDataSource(LOOKUPS_DATA_SOURCE) private readonly registry: DataSource,
    private readonly rows: SupportRows,
    private readonly time: RegistryTime,
    @Inject(MEMBERS_OPTIONS) { cache }: CheckedMembersOptions,
    lookups: RegistryLookups,
  ) {
    this.#sessions = lookups.make<ParsedKey, KnownSession>({
      askAll: (keys) => this.#ask(keys),
      tenantIdOf: ({ tenantId }) => tenantId,
      cache: { ...cache, staleIfErrorMs: 0 },
    });
  }

  /**
   * The claim of a session that is open. The credential is left with the request.
   *
   * @throws SupportKeyInvalidError, SupportEndedError, SupportNotApprovedError, SupportOverSocketError
   * @throws TenancyUnavailableError when the registry cannot be reached
   */
  claimOf(request: TenantRequest, text: string): RequestClaim | Promise<RequestClaim> {
    const parsed = parseKey(text);
    if (!parsed) throw new SupportKeyInvalidError();
    // What comes over a socket passes no guard that could record it.
    if (request.raw.headers.upgrade !== undefined) throw new SupportOverSocketError();
    const name = parsed.digest.toString('base64');
    const known = this.#sessions.remembered(name);
    if (known) return this.#admit(request, text, known);
    return this.#sessions.find(name, parsed).then((found) => this.#admit(request, text, found));
  }

  /** Drops what is cached of a tenant whose sessions were changed in this process. */
  forget(tenantId: string): void {
    this.#sessions.forget(tenantId);
  }

  #admit(request: TenantRequest, text: string, known: KnownSession | undefined): RequestClaim {
    if (!known) throw new SupportKeyInvalidError();
    const status = supportStatus(known.secrets, this.time.now().getTime());
    if (status === 'waiting') throw new SupportNotApprovedError();
    if (status !== 'open') throw new SupportEndedError(status, 'use');
    leaveCredential(request.raw, new VerifiedCredential(text, known.details));
    return known.claim;
  }

  async #ask(keys: readonly ParsedKey[]): Promise<(KnownSession | undefined)[]> {
    const ids = keys.map(({ id }) => id);
    const rows = await inRegistry(this.registry, (manager) => this.rows.findSecrets(manager, ids));
    const byId = new Map(rows.map((row) => [row.id, row]));
    return keys.map((key) => compare(byId.get(key.id), key));
  }
}

function compare(secrets: SupportSecrets | undefined, key: ParsedKey): KnownSession | undefined {
  const isRight = isKeyOf(secrets?.digest, key);
  if (!secrets || !isRight) return undefined;
  const { id, tenantId, actor, reason, scopes, firstUsedAt } = secrets;
  return {
    tenantId,
    secrets,
    claim: Object.freeze({ by: 'id', value: tenantId }),
    details: freezeDeeply({
      type: 'support',
      subject: id,
      name: `support ${id}`,
      scopes,
      namesTenant: true,
      tenantId,
      support: { session: id, who: actor, reason, isUsed: firstUsedAt !== null },
    }),
  };
}
