import { Inject, Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { makeKey } from '../../access/key-text';
import { checkArguments } from '../../common/options/check-options';
import { text, versions } from '../../common/options/kinds';
import { Option } from '../../common/options/option.decorator';
import { uuidV7 } from '../../common/uuid-v7';
import { within } from '../../common/within';
import { ActorAndReason, checkActorAndReason } from '../../provisioning/tenant-input';
import { isUuid } from '../../registry/claim';
import { TenantLookup } from '../../registry/cache/tenant-lookup';
import type { EventActor } from '../../registry/events/tenant-event';
import { REGISTRY_DATA_SOURCE } from '../../registry/registry';
import { inRegistry } from '../../registry/store/registry-transaction';
import type { Tenant } from '../../registry/tenant';
import { foldEmail } from '../email-address';
import { idOf, tenantOf } from '../given-tenant';
import { actorOf, type Grantor, grantor, userOf } from '../grantor';
import { KnownMembers } from '../known-members';
import type { Member } from '../member';
import { isMemberName } from '../member-input';
import { MemberRoles } from '../member-roles';
import { MemberRows } from '../member-rows';
import { MembersLock } from '../members-lock';
import { type CheckedMembersOptions, MEMBERS_OPTIONS } from '../members.options';
import { MembersService } from '../members.service';
import { addressOfToken, subjectOfToken } from '../token-subject';
import type { Invitation, InvitationStatus, ShownInvitation } from './invitation';
import { checkInvitation, type InvitationInput } from './invitation-input';
import { type InvitationQuery, InvitationRows } from './invitation-rows';
import {
  InvitationEndedError,
  InvitationLimitError,
  InvitationNotFoundError,
  InvitationNotYoursError,
  InvitationPendingError,
  InvitationVersionError,
} from './invitations.errors';

export class InvitationWriteOptions extends ActorAndReason {
  /**
   * Who does it: a `Principal`, or `{ scopes }`. They can invite to no role and no scope that they lack. Default: the
   * application, which may do everything.
   */
  @Option(grantor())
  readonly grantedBy?: Grantor;
}

export class InviteOptions extends InvitationWriteOptions {
  /** A UUID of version 7. If a pending invitation has this id, it gets a new secret. Default: a new id. */
  @Option(text('give a UUID of version 7', isUuid))
  readonly id?: string;
}

export class InvitationChangeOptions extends InvitationWriteOptions {
  /** The change is made only if the invitation has one of these versions; else `InvitationVersionError`. */
  @Option(versions())
  readonly ifVersion?: readonly number[];
}

/** Somebody has accepted. */
export interface Joined {
  readonly tenant: Tenant;
  readonly member: Member;
}

/**
 * The invitations of tenants. Their secrets are kept as SHA-256. Each change is an event in the same transaction, without
 * the address. Nothing here looks whether an address belongs to a member: neither an answer nor its time tells it.
 *
 * A tenant is given by its id, or as it is. All methods throw `TenancyUnavailableError`; those that are about one tenant
 * `TenantNotFoundError`.
 */
@Injectable()
export class Invitations {
  readonly #logger = new Logger('Tenancy');

  constructor(
    @InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource,
    private readonly rows: InvitationRows,
    private readonly memberRows: MemberRows,
    private readonly lock: MembersLock,
    private readonly members: MembersService,
    private readonly known: KnownMembers,
    private readonly roles: MemberRoles,
    private readonly tenants: TenantLookup,
    @Inject(MEMBERS_OPTIONS) private readonly options: CheckedMembersOptions,
  ) {}

  /**
   * Invites an address, and has it mailed. The secret cannot be read again.
   *
   * @throws InvitationPendingError when the address has an invitation to the tenant that can still be accepted
   * @throws InvitationLimitError, RoleNotInPlanError, RoleMissingError, ScopeMissingError, ValidationFailedError
   */
  async invite(
    tenant: Tenant | string,
    input: InvitationInput,
    options: InviteOptions = {},
  ): Promise<ShownInvitation> {
    const given = checkArguments('Invitations.invite()', InviteOptions, options);
    const { id = uuidV7(), grantedBy, actor, reason } = given;
    checkActorAndReason({ actor, reason });
    const wanted = checkInvitation(input);
    const known = await tenantOf(tenant, this.tenants);
    this.roles.refuseUnusable(known, wanted.roles);
    this.roles.refuseBeyond(grantedBy, wanted);
    const { prefix, ttlMs } = this.options.invitations;
    const secret = makeKey(prefix, id);
    const made = await this.lock.hold(known.id, async (manager) => {
      await this.rows.tidy(manager, known.id);
      await this.#refuseSecond(manager, known, { id, email: wanted.email });
      const { digest } = secret;
      const invitation = await this.rows.insert(manager, {
        ...{ ...wanted, id, tenantId: known.id },
        ...{ digest, ttlMs, invitedBy: actor },
      });
      if (!invitation) throw new InvitationEndedError('revoked');
      // If it existed already, it has roles and scopes of its own.
      this.roles.refuseBeyond(grantedBy, invitation);
      await this.#record(manager, 'invitation.created', invitation, given);
      return invitation;
    });
    return this.#shown(known, made, secret.text);
  }

  /** @throws InvitationNotFoundError when the tenant has no such invitation */
  async get(tenant: Tenant | string, id: string): Promise<Invitation> {
    return inRegistry(this.registry, (manager) => this.#find(manager, idOf(tenant), id));
  }

  /** Pending invitations in the order in which they were made; with `all`, also those that have ended. */
  async list(tenant: Tenant | string, query: InvitationQuery): Promise<Invitation[]> {
    return inRegistry(this.registry, (manager) => this.rows.list(manager, idOf(tenant), query));
  }

  /**
   * Gives a pending or an expired invitation a new secret and its whole time anew, and has it mailed again. The secret
   * before counts for nothing from now on.
   *
   * @throws InvitationNotFoundError, InvitationVersionError, RoleMissingError, ScopeMissingError
   * @throws InvitationEndedError when it was accepted, declined or revoked
   * @throws InvitationPendingError when an expired one's address has a newer invitation
   */
  async resend(
    tenant: Tenant | string,
    id: string,
    options: InvitationChangeOptions = {},
  ): Promise<ShownInvitation> {
    const given = checkArguments('Invitations.resend()', InvitationChangeOptions, options);
    const known = await tenantOf(tenant, this.tenants);
    const { prefix, ttlMs } = this.options.invitations;
    const secret = makeKey(prefix, id);
    const renewed = await this.#change(known, id, given, async (before, manager) => {
      if (!['pending', 'expired'].includes(before.status)) throw new InvitationEndedError(before.status);
      await this.rows.tidy(manager, known.id);
      await this.#refuseSecond(manager, known, before);
      const after = await this.rows.renew(manager, id, secret.digest, ttlMs);
      await this.#record(manager, 'invitation.sent-again', after, given);
      return after;
    });
    return this.#shown(known, renewed, secret.text);
  }

  /**
   * Ends an invitation. One that was revoked already stays as it is.
   *
   * @throws InvitationNotFoundError, InvitationVersionError, RoleMissingError, ScopeMissingError
   * @throws InvitationEndedError when it was accepted or declined
   */
  async revoke(
    tenant: Tenant | string,
    id: string,
    options: InvitationChangeOptions = {},
  ): Promise<Invitation> {
    const given = checkArguments('Invitations.revoke()', InvitationChangeOptions, options);
    return this.#change(await tenantOf(tenant, this.tenants), id, given, async (before, manager) => {
      if (before.status === 'revoked') return before;
      if (!['pending', 'expired'].includes(before.status)) throw new InvitationEndedError(before.status);
      const after = await this.rows.end(manager, id, 'revoked');
      await this.#record(manager, 'invitation.revoked', after, given);
      return after;
    });
  }

  /**
   * Makes the owner of a verified token a member: of the tenant that its secret is for, with the roles that still exist
   * there. Of several at once one does it.
   *
   * @param claims the payload of the token
   * @param memberId for the new member. If one came of this invitation with this id, that one is returned.
   * @throws InvitationNotFoundError, InvitationEndedError, InvitationNotYoursError
   * @throws TenantNotActiveError, MemberExistsError, MemberLimitError
   */
  async accept(
    secret: string,
    claims: Readonly<Record<string, unknown>>,
    memberId: string = uuidV7(),
  ): Promise<Joined> {
    const subject = subjectOfToken(claims, this.options);
    if (!subject) throw new InvitationNotYoursError();
    const joined = await this.#withSecret(secret, async (invitation, manager) => {
      const { id, tenantId } = invitation;
      const tenant = await this.tenants.findActive({ by: 'id', value: tenantId });
      this.#refuseOthers(invitation, claims);
      if (invitation.status === 'accepted' && invitation.memberId === memberId) {
        const before = await this.memberRows.find(manager, tenantId, memberId);
        if (before) return { tenant, member: before };
      }
      requirePending(invitation);
      const member = await this.members.add(
        tenant,
        {
          ...subject,
          email: addressOfToken(claims)?.email ?? null,
          name: nameIn(claims),
          roles: this.roles.counting(invitation.roles, tenant),
          scopes: invitation.scopes,
        },
        { id: memberId, manager, actor: `invitation ${id}` },
      );
      const after = await this.rows.end(manager, id, 'accepted', member.id);
      await this.#record(manager, 'invitation.accepted', after, {}, userOf(subject));
      return { tenant, member };
    });
    // A request of theirs may have been refused, and that remembered, while the transaction ran.
    this.known.forget(joined.tenant.id);
    return joined;
  }

  /**
   * Ends an invitation for who has its secret. One that was declined already stays as it is.
   *
   * @throws InvitationNotFoundError, InvitationEndedError
   */
  async decline(secret: string): Promise<void> {
    await this.#withSecret(secret, async (invitation, manager) => {
      if (invitation.status === 'declined') return;
      requirePending(invitation);
      const after = await this.rows.end(manager, invitation.id, 'declined');
      await this.#record(manager, 'invitation.declined', after, {});
    });
  }

  /** @throws InvitationNotYoursError when the token is not of whom the invitation is for */
  #refuseOthers({ email, anyEmail }: Invitation, claims: Readonly<Record<string, unknown>>): void {
    if (anyEmail) return;
    const address = addressOfToken(claims);
    if (address?.folded !== foldEmail(email)) throw new InvitationNotYoursError();
  }

  #withSecret<T>(
    secret: string,
    work: (invitation: Invitation, manager: EntityManager) => Promise<T>,
  ): Promise<T> {
    const find = (manager: EntityManager, id: string) => this.rows.findById(manager, id);
    return this.lock.holdBy(secret, { find, Refusal: InvitationNotFoundError }, work);
  }

  async #change<T>(
    tenant: Tenant,
    id: string,
    { grantedBy, ifVersion, actor, reason }: InvitationChangeOptions,
    work: (before: Invitation, manager: EntityManager) => Promise<T>,
  ): Promise<T> {
    checkActorAndReason({ actor, reason });
    return this.lock.hold(tenant.id, async (manager) => {
      const before = await this.#find(manager, tenant.id, id);
      this.roles.refuseBeyond(grantedBy, before);
      if (ifVersion && !ifVersion.includes(before.version)) throw new InvitationVersionError();
      return work(before, manager);
    });
  }

  /** @throws InvitationPendingError, InvitationLimitError */
  async #refuseSecond(
    manager: EntityManager,
    tenant: Tenant,
    { id, email }: Pick<Invitation, 'id' | 'email'>,
  ): Promise<void> {
    const pending = await this.rows.findPending(manager, tenant.id, email, id);
    if (pending) throw new InvitationPendingError(pending.id);
    const { maxPending } = this.options.invitations;
    if ((await this.rows.countPending(manager, tenant.id, id)) >= maxPending)
      throw new InvitationLimitError(maxPending);
  }

  async #find(manager: EntityManager, tenantId: string, id: string): Promise<Invitation> {
    const found = isUuid(id) ? await this.rows.find(manager, tenantId, id) : undefined;
    if (!found) throw new InvitationNotFoundError();
    return found;
  }

  /** The address is not in it: what was recorded outlives the invitation. */
  async #record(
    manager: EntityManager,
    type: string,
    { id, tenantId, roles, scopes, memberId }: Invitation,
    given: InvitationWriteOptions,
    actor: EventActor = actorOf(given),
  ): Promise<void> {
    const data = { roles, scopes, ...(memberId ? { member: memberId } : {}), reason: given.reason };
    await this.rows.record(manager, { tenantId, type, actor, subject: id, data });
  }

  /** Has the mail sent, once the invitation is there. */
  async #shown(tenant: Tenant, invitation: Invitation, secret: string): Promise<ShownInvitation> {
    const { mailer, mailTimeoutMs, acceptUrl } = this.options.invitations;
    if (!mailer) return { ...invitation, secret, isMailed: null };
    const { id, slug, name } = tenant;
    const link = acceptUrl === undefined ? undefined : `${acceptUrl}#${secret}`;
    const mail = { to: invitation.email, tenant: { id, slug, name }, invitation, secret, link };
    try {
      await within(mailTimeoutMs, mailer.sendInvitation(mail));
      return { ...invitation, secret, isMailed: true };
    } catch (error) {
      this.#logger.error(`The mail for the invitation ${invitation.id} could not be sent.`, error);
      return { ...invitation, secret, isMailed: false };
    }
  }
}

function requirePending({ status }: { readonly status: InvitationStatus }): void {
  if (status !== 'pending') throw new InvitationEndedError(status);
}

/** What the issuer calls them, if it is a name that a member can have. */
function nameIn({ name }: Readonly<Record<string, unknown>>): string | null {
  return isMemberName(name) ? name : null;
}
