import { Inject, Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { makeKey } from '../../access/key-text';
import { refuseProblems } from '../../common/field-problems';
import { checkArguments } from '../../common/options/check-options';
import { uuidV7 } from '../../common/uuid-v7';
import { within } from '../../common/within';
import { checkActorAndReason } from '../../provisioning/tenant-input';
import { isUuid } from '../../registry/claim';
import { TenantLookup } from '../../registry/cache/tenant-lookup';
import { actorNamed } from '../../registry/events/audit-events';
import type { Tenant } from '../../registry/tenant';
import type { Joined } from '../invitations/invitations';
import { userOf } from '../grantor';
import { KnownMembers } from '../known-members';
import type { Member, MemberSubject } from '../member';
import { MemberRows } from '../member-rows';
import { MembersLock } from '../members-lock';
import { type CheckedMembersOptions, MEMBERS_OPTIONS, OWNER } from '../members.options';
import { MembersService } from '../members.service';
import { DEFAULT_MINUTES, occasionProblems } from '../support/support-input';
import { EnterOptions } from '../support/support-sessions';
import { addressOfToken, subjectOfToken } from '../token-subject';
import { type RecoveryKey, RecoveryRows } from './recovery-rows';
import { RecoveryKeyExistsError, RecoveryKeyInvalidError, SubjectMissingError } from './recovery.errors';

/** Why a tenant needs a new owner, and for how long the key counts. */
export interface RecoveryInput {
  /** 1 to 500 characters. The owners read it. */
  readonly reason: string;
  /** An integer from 1 to 1,440. Default 60. */
  readonly minutes?: number;
}

/** A key that was just made, the only moment at which its text is known. */
export interface ShownRecoveryKey extends RecoveryKey {
  readonly key: string;
}

/** A mail goes to so many owners. */
const MAX_TOLD = 100;

/**
 * Recovery keys, for tenants whose owners are gone: whoever presents one becomes an owner. A tenant has one at a time, and
 * it counts once. Owners are told when it is made and when it is used, by events and by mail. All methods throw
 * `TenancyUnavailableError`.
 */
@Injectable()
export class RecoveryKeys {
  readonly #logger = new Logger('Tenancy');

  constructor(
    private readonly rows: RecoveryRows,
    private readonly memberRows: MemberRows,
    private readonly lock: MembersLock,
    private readonly members: MembersService,
    private readonly known: KnownMembers,
    private readonly tenants: TenantLookup,
    @Inject(MEMBERS_OPTIONS) private readonly options: CheckedMembersOptions,
  ) {}

  /**
   * Makes a key, whose text cannot be read again.
   *
   * @throws RecoveryKeyExistsError when the tenant has one that still counts
   * @throws TenantNotFoundError, ValidationFailedError
   */
  async create(tenant: Tenant, input: RecoveryInput, options: EnterOptions): Promise<ShownRecoveryKey> {
    const { actor, id = uuidV7() } = checkArguments('RecoveryKeys.create()', EnterOptions, options);
    const { reason, minutes = DEFAULT_MINUTES } = input;
    checkActorAndReason({ actor, reason });
    refuseProblems(occasionProblems(reason, minutes));
    const { text, digest } = makeKey(this.options.support.recoveryPrefix, id);
    const made = await this.lock.hold(tenant.id, async (manager) => {
      const other = await this.rows.findOther(manager, tenant.id, id);
      if (other) throw new RecoveryKeyExistsError(other.id);
      const key = await this.rows.insert(manager, {
        ...{ id, tenantId: tenant.id, digest, actor, reason, minutes },
      });
      if (!key) throw new RecoveryKeyInvalidError();
      const data = { reason, minutes, expiresAt: key.expiresAt };
      await this.rows.record(manager, {
        ...{ tenantId: tenant.id, type: 'recovery-key.created' },
        ...{ actor: actorNamed(actor), subject: id, data },
      });
      return { key, owners: await this.memberRows.listOwners(manager, tenant.id, MAX_TOLD) };
    });
    await this.#tell(tenant, made.owners, { what: 'created', actor, reason });
    return { ...made.key, key: text };
  }

  /** Ends a key. @throws RecoveryKeyInvalidError when the tenant has no such key that counts */
  async revoke(tenant: Tenant, id: string, { actor }: Pick<EnterOptions, 'actor'>): Promise<void> {
    checkActorAndReason({ actor });
    await this.lock.hold(tenant.id, async (manager) => {
      const found = isUuid(id) ? await this.rows.findById(manager, id) : undefined;
      if (found?.row.tenantId !== tenant.id) throw new RecoveryKeyInvalidError();
      await this.rows.revoke(manager, id);
      await this.rows.record(manager, {
        ...{ tenantId: tenant.id, type: 'recovery-key.revoked' },
        ...{ actor: actorNamed(actor), subject: id },
      });
    });
  }

  /**
   * Makes the owner of a verified token an owner of the tenant that the key is for; a member who is blocked is no longer.
   *
   * @param claims the payload of the token
   * @throws RecoveryKeyInvalidError when the key does not count, or no longer
   * @throws SubjectMissingError, TenantNotActiveError
   * @throws MemberLimitError when the tenant has no seat for somebody new
   */
  async use(text: string, claims: Readonly<Record<string, unknown>>): Promise<Joined> {
    const subject = subjectOfToken(claims, this.options);
    if (!subject) throw new SubjectMissingError();
    const find = (manager: EntityManager, id: string) => this.rows.findById(manager, id);
    const keys = { find, Refusal: RecoveryKeyInvalidError };
    const { tenant, member, owners, reason } = await this.lock.holdBy(text, keys, async (key, manager) => {
      const { id, tenantId } = key;
      const known = await this.tenants.findActive({ by: 'id', value: tenantId });
      const before = await this.memberRows.listOwners(manager, tenantId, MAX_TOLD);
      const owner = await this.#makeOwner(manager, known, subject, claims, `recovery key ${id}`);
      await this.rows.use(manager, id, owner.id);
      await this.rows.record(manager, {
        ...{ tenantId, type: 'recovery-key.used', subject: id },
        actor: userOf(subject),
        data: { member: owner.id, reason: key.reason },
      });
      return { tenant: known, member: owner, owners: before, reason: key.reason };
    });
    this.known.forget(tenant.id);
    await this.#tell(tenant, owners, { what: 'used', actor: subject.subject, reason });
    return { tenant, member };
  }

  async #makeOwner(
    manager: EntityManager,
    tenant: Tenant,
    subject: MemberSubject,
    claims: Readonly<Record<string, unknown>>,
    actor: string,
  ): Promise<Member> {
    const [before] = await this.memberRows.findAll(manager, [{ tenantId: tenant.id, ...subject }]);
    const by = { manager, actor };
    if (!before) {
      const email = addressOfToken(claims)?.email ?? null;
      return this.members.add(tenant, { ...subject, email, roles: [OWNER] }, by);
    }
    await this.members.unblock(tenant, before.id, by);
    const roles = [...new Set([...before.roles, OWNER])];
    return this.members.update(tenant, before.id, { roles }, by);
  }

  /** Mails are for their information: what has happened has happened, and is in the events. */
  async #tell(
    { id, slug, name }: Tenant,
    owners: readonly Member[],
    { what, actor, reason }: { what: 'created' | 'used'; actor: string; reason: string },
  ): Promise<void> {
    const { mailer, mailTimeoutMs } = this.options.invitations;
    const addresses = owners.flatMap(({ email }) => email ?? []);
    if (!mailer || addresses.length === 0) return;
    const notice = { tenant: { id, slug, name }, what, actor, reason } as const;
    const mails = addresses.map(async (to) =>
      within(mailTimeoutMs, Promise.resolve(mailer.sendRecoveryNotice?.({ to, ...notice }))),
    );
    const failed = (await Promise.allSettled(mails)).filter(({ status }) => status === 'rejected');
    if (failed.length > 0)
      this.#logger.error(
        `${failed.length} of ${addresses.length} owners of ${slug} could not be told that a recovery key was ${what}.`,
        failed[0].status === 'rejected' ? failed[0].reason : undefined,
      );
  }
}
