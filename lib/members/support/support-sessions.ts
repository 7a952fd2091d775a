import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { makeKey } from '../../access/key-text';
import { checkArguments } from '../../common/options/check-options';
import { text } from '../../common/options/kinds';
import { Option } from '../../common/options/option.decorator';
import { ALL_SCOPES, grants } from '../../common/scopes';
import { ValidationFailedError } from '../../common/tenancy.errors';
import { uuidV7 } from '../../common/uuid-v7';
import { ActorAndReason, checkActorAndReason } from '../../provisioning/tenant-input';
import { isUuid } from '../../registry/claim';
import { actorNamed } from '../../registry/events/audit-events';
import { type EventActor, SYSTEM } from '../../registry/events/tenant-event';
import { REGISTRY_DATA_SOURCE } from '../../registry/registry';
import { inRegistry } from '../../registry/store/registry-transaction';
import { actorOf, type Grantor, grantor } from '../grantor';
import { MembersLock } from '../members-lock';
import { type CheckedMembersOptions, MEMBERS_OPTIONS } from '../members.options';
import { SupportAuthentication } from './support-authentication';
import {
  OwnerRequiredError,
  SupportEndedError,
  SupportForbiddenError,
  SupportNotApprovedError,
  SupportSessionNotFoundError,
} from './support.errors';
import { checkSupport, type SupportInput } from './support-input';
import { type SupportQuery, SupportRows } from './support-rows';
import {
  type ShownSupportSession,
  SUPPORT_ACCESS,
  type SupportAccess,
  type SupportSession,
} from './support-session';

export class EnterOptions {
  /** Who enters: 1 to 200 characters. The tenant reads it. */
  @Option(text('say who enters'), { required: true })
  readonly actor!: string;

  /** A UUID of version 7. If a session has this id, it gets a new credential. Default: a new id. */
  @Option(text('give a UUID of version 7', isUuid))
  readonly id?: string;
}

export class SupportChangeOptions extends ActorAndReason {
  /** Who does it: a `Principal`, or `{ scopes }`. Default: the application, which may do everything. */
  @Option(grantor())
  readonly grantedBy?: Grantor;
}

/** What a request with a session does. */
export interface SupportWrite {
  readonly method: string;
  /** Without the query, which may have secrets in it. */
  readonly path: string;
}

/**
 * Support sessions: how people who help enter a tenant, and are seen doing it. Each start, approval, first use, writing
 * request and end is an event of the tenant, in the transaction of what it tells. All methods take the id of a tenant, and
 * throw `TenancyUnavailableError`.
 */
@Injectable()
export class SupportSessions {
  constructor(
    @InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource,
    private readonly rows: SupportRows,
    private readonly lock: MembersLock,
    private readonly authentication: SupportAuthentication,
    @Inject(MEMBERS_OPTIONS) private readonly options: CheckedMembersOptions,
  ) {}

  /**
   * Begins a session. Its credential cannot be read again. It lets in at once, or when an owner has approved it, as the
   * tenant says.
   *
   * @throws SupportForbiddenError when the tenant lets nobody in
   * @throws TenantNotFoundError, ValidationFailedError
   */
  async enter(tenantId: string, input: SupportInput, options: EnterOptions): Promise<ShownSupportSession> {
    const { actor, id = uuidV7() } = checkArguments('SupportSessions.enter()', EnterOptions, options);
    checkActorAndReason({ actor, reason: input.reason });
    const wanted = checkSupport(input);
    const { prefix } = this.options.support;
    const { text: credential, digest } = makeKey(prefix, id);
    const session = await this.lock.hold(tenantId, async (manager) => {
      const access = await this.#accessOf(manager, tenantId);
      if (access === 'never') throw new SupportForbiddenError();
      const isApproved = access === 'allowed';
      const made = await this.rows.insert(manager, {
        ...wanted,
        ...{ id, tenantId, digest, actor, isApproved },
      });
      if (!made) throw new SupportEndedError('revoked', 'change');
      await this.#record(manager, isApproved ? 'support.started' : 'support.requested', made, {
        by: actorNamed(actor),
      });
      return made;
    });
    this.authentication.forget(tenantId);
    return { ...session, credential };
  }

  /** @throws SupportSessionNotFoundError when the tenant has no such session */
  async get(tenantId: string, id: string): Promise<SupportSession> {
    return inRegistry(this.registry, (manager) => this.#find(manager, tenantId, id));
  }

  /** All sessions in the order of their beginning, with those that are over. */
  async list(tenantId: string, query: SupportQuery): Promise<SupportSession[]> {
    return inRegistry(this.registry, (manager) => this.rows.list(manager, tenantId, query));
  }

  /**
   * Lets a waiting session in, from now on for its minutes. One that is open already stays as it is.
   *
   * @throws OwnerRequiredError, SupportSessionNotFoundError
   * @throws SupportEndedError when it is over
   */
  async approve(tenantId: string, id: string, options: SupportChangeOptions = {}): Promise<SupportSession> {
    const given = checkArguments('SupportSessions.approve()', SupportChangeOptions, options);
    requireOwner(given);
    return this.#change(tenantId, id, given, async (before, manager) => {
      if (before.status === 'open') return before;
      if (before.status !== 'waiting') throw new SupportEndedError(before.status, 'change');
      const after = await this.rows.approve(manager, id, given.actor);
      await this.#record(manager, 'support.started', after, { by: actorOf(given) });
      return after;
    });
  }

  /** Ends a session at once, on all instances. One that is over already stays as it is. @throws SupportSessionNotFoundError */
  async revoke(tenantId: string, id: string, options: SupportChangeOptions = {}): Promise<SupportSession> {
    const given = checkArguments('SupportSessions.revoke()', SupportChangeOptions, options);
    return this.#change(tenantId, id, given, (before, manager) => this.#revoke(manager, before, given));
  }

  /** What the tenant says of support; what the options say when it says nothing. */
  async access(tenantId: string): Promise<SupportAccess> {
    return inRegistry(this.registry, (manager) => this.#accessOf(manager, tenantId));
  }

  /**
   * Says whether support may enter from now on. `never` ends all sessions of the tenant at once.
   *
   * @throws OwnerRequiredError, ValidationFailedError, TenantNotFoundError
   */
  async setAccess(
    tenantId: string,
    access: SupportAccess,
    options: SupportChangeOptions = {},
  ): Promise<SupportAccess> {
    const given = checkArguments('SupportSessions.setAccess()', SupportChangeOptions, options);
    requireOwner(given);
    checkActorAndReason(given);
    if (!SUPPORT_ACCESS.includes(access))
      throw new ValidationFailedError([
        { field: 'supportAccess', message: `must be one of ${SUPPORT_ACCESS.join(', ')}` },
      ]);
    await this.lock.hold(tenantId, async (manager) => {
      const before = await this.#accessOf(manager, tenantId);
      await this.rows.setAccess(manager, tenantId, access);
      if (access === 'never')
        for (const each of await this.rows.findLive(manager, tenantId))
          await this.#revoke(manager, each, given);
      if (before === access) return;
      const data = { access, reason: given.reason };
      await this.rows.record(manager, {
        ...{ tenantId, type: 'support.access-changed' },
        ...{ actor: actorOf(given), data },
      });
    });
    this.authentication.forget(tenantId);
    return access;
  }

  /**
   * Records what a request with a session is about to do, before it does: the session's first use, and each request that
   * writes. A session that ends meanwhile is refused here.
   *
   * @throws SupportEndedError, SupportNotApprovedError
   */
  async recordUse(tenantId: string, id: string, write: SupportWrite | undefined): Promise<void> {
    const isFirst = await inRegistry(this.registry, async (manager) => {
      const session = await this.rows.find(manager, tenantId, id, true);
      if (session?.status === 'waiting') throw new SupportNotApprovedError();
      if (session?.status !== 'open') throw new SupportEndedError(session?.status ?? 'revoked', 'use');
      const by = { type: 'support', id };
      if (!session.firstUsedAt) {
        await this.rows.noteFirstUse(manager, id);
        await this.#record(manager, 'support.used', session, { by });
      }
      if (write) await this.#record(manager, 'support.wrote', session, { by, more: write });
      return !session.firstUsedAt;
    });
    if (isFirst) this.authentication.forget(tenantId);
  }

  /** Records the end of sessions whose time is over: they let nobody in since then. Returns how many. */
  async endOver(): Promise<number> {
    return inRegistry(this.registry, async (manager) => {
      const over = await this.rows.endOver(manager);
      for (const each of over)
        await this.#record(manager, each.status === 'lapsed' ? 'support.lapsed' : 'support.ended', each, {
          by: SYSTEM,
        });
      return over.length;
    });
  }

  async #revoke(
    manager: EntityManager,
    before: SupportSession,
    given: SupportChangeOptions,
  ): Promise<SupportSession> {
    if (!['waiting', 'open'].includes(before.status)) return before;
    const after = await this.rows.revoke(manager, before.id);
    await this.#record(manager, 'support.revoked', after, {
      by: actorOf(given),
      more: given.reason === undefined ? {} : { why: given.reason },
    });
    return after;
  }

  async #change(
    tenantId: string,
    id: string,
    given: SupportChangeOptions,
    work: (before: SupportSession, manager: EntityManager) => Promise<SupportSession>,
  ): Promise<SupportSession> {
    checkActorAndReason(given);
    const changed = await inRegistry(this.registry, async (manager) =>
      work(await this.#find(manager, tenantId, id, true), manager),
    );
    this.authentication.forget(tenantId);
    return changed;
  }

  async #accessOf(manager: EntityManager, tenantId: string): Promise<SupportAccess> {
    return (await this.rows.findAccess(manager, tenantId)) ?? this.options.support.access;
  }

  async #find(manager: EntityManager, tenantId: string, id: string, lock = false): Promise<SupportSession> {
    const found = isUuid(id) ? await this.rows.find(manager, tenantId, id, lock) : undefined;
    if (!found) throw new SupportSessionNotFoundError();
    return found;
  }

  async #record(
    manager: EntityManager,
    type: string,
    { id, tenantId, actor, reason, scopes, minutes }: SupportSession,
    { by, more = {} }: { readonly by: EventActor; readonly more?: object },
  ): Promise<void> {
    const data = { who: actor, reason, scopes, minutes, ...more };
    await this.rows.record(manager, { tenantId, type, actor: by, subject: id, data });
  }
}

function requireOwner({ grantedBy }: SupportChangeOptions): void {
  if (grantedBy && !grants(grantedBy.scopes, ALL_SCOPES)) throw new OwnerRequiredError();
}
