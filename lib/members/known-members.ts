import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { type Membership, Memberships } from '../access/memberships';
import { freezeDeeply } from '../common/freeze-deeply';
import { commonScopes } from '../common/scopes';
import { type RegistryLookup, RegistryLookups } from '../registry/cache/registry-lookup';
import { LOOKUPS_DATA_SOURCE } from '../registry/registry';
import { inRegistry } from '../registry/store/registry-transaction';
import type { Tenant } from '../registry/tenant';
import type { CredentialDetails } from '../resolution/resolvers/verified-credential';
import type { Member, MemberSubject } from './member';
import { MemberRoles } from './member-roles';
import { type MemberName, MemberRows } from './member-rows';
import { MemberUses } from './member-uses';
import { type CheckedMembersOptions, MEMBERS_OPTIONS } from './members.options';
import { subjectOfToken } from './token-subject';

/** What is known of a token, which many requests share. */
interface KnownToken {
  readonly subject: MemberSubject | undefined;
  /** The last answer, and what it was made of. */
  last?: { readonly member: Member; readonly tenant: Tenant; readonly membership: Membership };
}

/** Finds the member whom a token names. Answers are cached as those about tenants and keys are. */
@Injectable()
export class KnownMembers extends Memberships {
  readonly #members: RegistryLookup<MemberName, Member>;
  readonly #tokens = new WeakMap<CredentialDetails, KnownToken>();

  constructor(
    @InjectDataSource(LOOKUPS_DATA_SOURCE) private readonly registry: DataSource,
    private readonly rows: MemberRows,
    private readonly roles: MemberRoles,
    private readonly uses: MemberUses,
    @Inject(MEMBERS_OPTIONS) private readonly options: CheckedMembersOptions,
    lookups: RegistryLookups,
  ) {
    super();
    this.#members = lookups.make<MemberName, Member>({
      askAll: (names) => this.#ask(names),
      tenantIdOf: ({ tenantId }) => tenantId,
      cache: options.cache,
    });
  }

  find(details: CredentialDetails, tenant: Tenant): Membership | undefined | Promise<Membership | undefined> {
    const token = this.#tokenOf(details);
    if (!token.subject) return undefined;
    const name = { tenantId: tenant.id, ...token.subject };
    const key = keyOf(name);
    const known = this.#members.remembered(key);
    if (known) return this.#admit(details, token, known, tenant);
    return this.#members.find(key, name).then((found) => found && this.#admit(details, token, found, tenant));
  }

  /** Whose a token with these claims is; `undefined` for nobody, and for one whom no member can be. */
  subjectOf(claims: Readonly<Record<string, unknown>> = {}): MemberSubject | undefined {
    return subjectOfToken(claims, this.options);
  }

  /** Drops what is cached of a tenant whose members were changed in this process. */
  forget(tenantId: string): void {
    this.#members.forget(tenantId);
  }

  /** How many members are cached, known and unknown ones, and how many wait for an answer. */
  get size(): RegistryLookup<MemberName, Member>['size'] {
    return this.#members.size;
  }

  #tokenOf(details: CredentialDetails): KnownToken {
    let token = this.#tokens.get(details);
    if (!token) {
      token = { subject: this.subjectOf(details.claims) };
      this.#tokens.set(details, token);
    }
    return token;
  }

  #admit(
    details: CredentialDetails,
    token: KnownToken,
    member: Member,
    tenant: Tenant,
  ): Membership | undefined {
    if (member.status !== 'active') return undefined;
    this.uses.record(member.id);
    // Another plan makes another tenant of it.
    if (token.last?.member !== member || token.last.tenant !== tenant)
      token.last = { member, tenant, membership: this.#membership(details, member, tenant) };
    return token.last.membership;
  }

  #membership({ claims, scopes }: CredentialDetails, member: Member, tenant: Tenant): Membership {
    const { id, email, name, joinedAt } = member;
    const roles = this.roles.counting(member.roles, tenant);
    const granted = this.roles.scopesOf({ roles, scopes: member.scopes });
    const isNarrowed = (claims?.scope ?? claims?.scp ?? undefined) !== undefined;
    return freezeDeeply({
      member: { id, email, name, roles, joinedAt },
      scopes: isNarrowed ? commonScopes(granted, scopes) : granted,
    });
  }

  async #ask(names: readonly MemberName[]): Promise<(Member | undefined)[]> {
    const found = await inRegistry(this.registry, (transaction) => this.rows.findAll(transaction, names));
    const byKey = new Map(found.map((member) => [keyOf(member), member]));
    return names.map((name) => byKey.get(keyOf(name)));
  }
}

/** No part but the last can have a space in it. */
function keyOf({ tenantId, issuer, subject }: MemberName): string {
  return `${tenantId} ${issuer} ${subject}`;
}
