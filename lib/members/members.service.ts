import { Inject, Injectable, Optional } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { ManagerElsewhereError } from '../access/access.errors';
import { checkArguments } from '../common/options/check-options';
import { text, versions, withMethod } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';
import { uuidV7 } from '../common/uuid-v7';
import { ResourceMeter } from '../context/resource-meter';
import { TenantContext } from '../context/tenant-context';
import { ActorAndReason, checkActorAndReason } from '../provisioning/tenant-input';
import { isUuid } from '../registry/claim';
import { TenantLookup } from '../registry/cache/tenant-lookup';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { registrySchema } from '../registry/registry-schema';
import { isSameServer } from '../registry/server-identity';
import { inRegistry } from '../registry/store/registry-transaction';
import type { Tenant } from '../registry/tenant';
import { idOf, tenantOf } from './given-tenant';
import { actorOf, type Grantor, grantor } from './grantor';
import type { Member, MemberStatus, MemberSubject } from './member';
import { KnownMembers } from './known-members';
import { checkMember, checkMemberPatch, type MemberInput, type MemberPatch } from './member-input';
import { MemberRoles } from './member-roles';
import { type MemberQuery, MemberRows, type MemberValues } from './member-rows';
import { MembersLock } from './members-lock';
import {
  LastOwnerError,
  MemberExistsError,
  MemberLimitError,
  MemberNotFoundError,
  MemberVersionError,
} from './members.errors';
import { type CheckedMembersOptions, MEMBERS_OPTIONS, OWNER } from './members.options';

export class MemberWriteOptions extends ActorAndReason {
  /**
   * Who does it: a `Principal`, or `{ scopes }`. They can give no role and no scope that they lack, and change no member
   * who has more than they. Default: the application, which may do everything.
   */
  @Option(grantor())
  readonly grantedBy?: Grantor;

  /**
   * The manager of a transaction in the registry's database, under READ COMMITTED, in which all of it is done. Default: a new
   * transaction.
   */
  @Option(withMethod<EntityManager>('query', 'give the EntityManager of a transaction'))
  readonly manager?: EntityManager;
}

export class AddMemberOptions extends MemberWriteOptions {
  /** A UUID of version 7. If the subject is a member with this id, nothing happens. Default: a new id. */
  @Option(text('give a UUID of version 7', isUuid))
  readonly id?: string;
}

export class MemberChangeOptions extends MemberWriteOptions {
  /** The change is made only if the member has one of these versions; else `MemberVersionError`. */
  @Option(versions())
  readonly ifVersion?: readonly number[];
}

/** The name of the quota of seats, if there is one. */
export const MEMBERS = 'members';

/**
 * The members of tenants. When a member is already as wanted, nothing is changed or recorded. Each change is recorded in
 * the same transaction, with its actor and its reason.
 *
 * A tenant is given by its id, or as it is. All methods throw `TenancyUnavailableError` and `TenantNotFoundError`; those
 * that change somebody `MemberNotFoundError`, `LastOwnerError`, `ScopeMissingError` and `RoleMissingError` (see
 * `grantedBy`), `MemberVersionError` (see `ifVersion`) and `ValidationFailedError`.
 */
@Injectable()
export class MembersService {
  constructor(
    @InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource,
    private readonly rows: MemberRows,
    private readonly lock: MembersLock,
    private readonly roles: MemberRoles,
    private readonly known: KnownMembers,
    private readonly tenants: TenantLookup,
    private readonly context: TenantContext,
    @Inject(MEMBERS_OPTIONS) private readonly options: CheckedMembersOptions,
    @Optional() private readonly meter?: ResourceMeter,
  ) {}

  /**
   * Makes somebody a member of a tenant, whatever the tenant's status.
   *
   * @throws MemberExistsError when the subject is one already
   * @throws MemberLimitError, or QuotaExceededError of a quota, when the tenant has as many as it may have
   * @throws RoleNotInPlanError
   */
  async add(tenant: Tenant | string, input: MemberInput, options: AddMemberOptions = {}): Promise<Member> {
    const given = checkArguments('MembersService.add()', AddMemberOptions, options);
    const { id = uuidV7(), grantedBy } = given;
    const wanted = checkMember(input);
    const known = await tenantOf(tenant, this.tenants);
    this.roles.refuseUnusable(known, wanted.roles);
    this.roles.refuseBeyond(grantedBy, wanted);
    return this.#change(known, given, async (manager) => {
      const { subject, issuer, roles, scopes } = wanted;
      const [before] = await this.rows.findAll(manager, [{ tenantId: known.id, subject, issuer }]);
      if (before?.id === id) return before;
      if (before) throw new MemberExistsError();
      await this.#takeSeat(manager, known);
      const member = await this.rows.insert(manager, known.id, id, wanted);
      await this.#record(manager, 'member.added', member, given, { roles, scopes });
      const { onMemberJoined } = this.options;
      if (onMemberJoined)
        await this.context.run(known, () => onMemberJoined({ tenant: known, member, manager }));
      return member;
    });
  }

  /** @throws MemberNotFoundError when the tenant has no such member */
  async get(tenant: Tenant | string, id: string): Promise<Member> {
    const tenantId = idOf(tenant);
    return inRegistry(this.registry, (transaction) => this.#find(transaction, tenantId, id));
  }

  /** Members in the order in which they joined, with blocked ones. */
  list(tenant: Tenant | string, query: MemberQuery): Promise<Member[]> {
    const tenantId = idOf(tenant);
    return inRegistry(this.registry, (transaction) => this.rows.list(transaction, tenantId, query));
  }

  /** How many seats are taken, by blocked members too. */
  count(tenant: Tenant | string): Promise<number> {
    const tenantId = idOf(tenant);
    return inRegistry(this.registry, (transaction) => this.rows.count(transaction, tenantId));
  }

  /** Roles that some members have and that are no longer declared, with how many have each. */
  async undeclaredRoles(): Promise<{ role: string; members: number }[]> {
    const used = await inRegistry(this.registry, (transaction) => this.rows.countRoles(transaction));
    return used.filter(({ role }) => !this.roles.isDeclared(role));
  }

  /** Where somebody is a member, active or blocked, in the order in which they joined. */
  listOf(subject: MemberSubject, page: Pick<MemberQuery, 'limit' | 'afterId'>): Promise<Member[]> {
    return inRegistry(this.registry, (transaction) => this.rows.listOf(transaction, subject, page));
  }

  /**
   * Changes the fields that the patch names. Roles and scopes replace those before.
   *
   * @throws RoleNotInPlanError for a role that the member did not have
   */
  async update(
    tenant: Tenant | string,
    id: string,
    patch: MemberPatch,
    options: MemberChangeOptions = {},
  ): Promise<Member> {
    const given = checkArguments('MembersService.update()', MemberChangeOptions, options);
    const wanted = checkMemberPatch(patch);
    return this.#changeOne(
      await tenantOf(tenant, this.tenants),
      id,
      given,
      'member.changed',
      (before, known) => {
        const { roles = before.roles, scopes = before.scopes } = wanted;
        this.roles.refuseUnusable(known, roles, before.roles);
        this.roles.refuseBeyond(given.grantedBy, { roles, scopes });
        return wanted;
      },
    );
  }

  /** Refuses their requests until they are unblocked. They still take a seat. */
  async block(tenant: Tenant | string, id: string, options: MemberChangeOptions = {}): Promise<Member> {
    const given = checkArguments('MembersService.block()', MemberChangeOptions, options);
    const status: MemberStatus = 'blocked';
    return this.#changeOne(await tenantOf(tenant, this.tenants), id, given, 'member.blocked', () => ({
      status,
    }));
  }

  /** Lets a blocked member in again. */
  async unblock(tenant: Tenant | string, id: string, options: MemberChangeOptions = {}): Promise<Member> {
    const given = checkArguments('MembersService.unblock()', MemberChangeOptions, options);
    const status: MemberStatus = 'active';
    return this.#changeOne(await tenantOf(tenant, this.tenants), id, given, 'member.unblocked', () => ({
      status,
    }));
  }

  /** Ends the membership, and forgets the person. The same subject may join again, as a new member. */
  async remove(tenant: Tenant | string, id: string, options: MemberChangeOptions = {}): Promise<void> {
    const given = checkArguments('MembersService.remove()', MemberChangeOptions, options);
    const known = await tenantOf(tenant, this.tenants);
    await this.#change(known, given, async (manager) => {
      const before = await this.#changeable(manager, known, id, given);
      await this.#keepOwner(manager, before);
      await this.rows.remove(manager, id);
      await this.#record(manager, 'member.removed', before, given, { roles: before.roles });
    });
  }

  /** With options that are checked already. */
  #changeOne(
    tenant: Tenant,
    id: string,
    given: MemberChangeOptions,
    type: string,
    decide: (before: Member, tenant: Tenant) => MemberValues,
  ): Promise<Member> {
    return this.#change(tenant, given, async (manager) => {
      const before = await this.#changeable(manager, tenant, id, given);
      const values = changesOf(before, decide(before, tenant));
      const fields = Object.keys(values);
      if (fields.length === 0) return before;
      if (!isOwner({ ...before, ...values })) await this.#keepOwner(manager, before);
      const after = await this.rows.update(manager, id, values);
      const { roles, scopes } = after;
      await this.#record(manager, type, after, given, { fields, roles, scopes });
      return after;
    });
  }

  async #change<T>(
    tenant: Tenant,
    { actor, reason, manager }: MemberWriteOptions,
    work: (manager: EntityManager) => Promise<T>,
  ): Promise<T> {
    checkActorAndReason({ actor, reason });
    // Whoever holds a connection of the registry must not wait for another one: there are few.
    const isOurs = !manager || manager.connection === this.registry;
    if (!isOurs && !(await isSameServer(this.registry, manager, registrySchema(this.registry))))
      throw new ManagerElsewhereError('MembersService');
    // A stricter one would count the members that there were before it waited for others.
    if (manager && !(await this.rows.isReadCommitted(manager)))
      throw new TypeError('MembersService needs the manager of a transaction under READ COMMITTED.');
    const done = await this.lock.hold(tenant.id, work, manager);
    this.known.forget(tenant.id);
    return done;
  }

  /** @throws MemberNotFoundError, RoleMissingError, ScopeMissingError, MemberVersionError */
  async #changeable(
    manager: EntityManager,
    tenant: Tenant,
    id: string,
    { grantedBy, ifVersion }: MemberChangeOptions,
  ): Promise<Member> {
    const member = await this.#find(manager, tenant.id, id);
    this.roles.refuseBeyond(grantedBy, member);
    if (ifVersion && !ifVersion.includes(member.version)) throw new MemberVersionError();
    return member;
  }

  /** Neither names nor addresses are in `data`: what was recorded outlives the member. */
  async #record(
    manager: EntityManager,
    type: string,
    { tenantId, id }: Member,
    given: MemberWriteOptions,
    more: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const data = { ...more, reason: given.reason };
    await this.rows.record(manager, { tenantId, type, actor: actorOf(given), subject: id, data });
  }

  async #keepOwner(manager: EntityManager, before: Member): Promise<void> {
    if (isOwner(before) && !(await this.rows.hasOtherOwner(manager, before))) throw new LastOwnerError();
  }

  async #takeSeat(manager: EntityManager, tenant: Tenant): Promise<void> {
    const members = await this.rows.count(manager, tenant.id);
    if (this.meter?.admits(MEMBERS, members + 1, tenant)) return;
    const limit = this.roles.maxMembers(tenant);
    if (members >= limit) throw new MemberLimitError(limit);
  }

  async #find(manager: EntityManager, tenantId: string, id: string): Promise<Member> {
    const member = isUuid(id) ? await this.rows.find(manager, tenantId, id) : undefined;
    if (!member) throw new MemberNotFoundError();
    return member;
  }
}

function isOwner({ roles, status }: Pick<Member, 'roles' | 'status'>): boolean {
  return status === 'active' && roles.includes(OWNER);
}

/** Those of the values that are not as they should be. */
function changesOf(member: Member, values: MemberValues): MemberValues {
  return Object.fromEntries(
    Object.entries(values).filter(
      ([field, value]) => JSON.stringify(member[field as keyof MemberValues]) !== JSON.stringify(value),
    ),
  );
}
