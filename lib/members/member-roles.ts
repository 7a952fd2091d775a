import { Inject, Injectable } from '@nestjs/common';
import { ALL_SCOPES, grants, missingScope } from '../common/scopes';
import { ScopeMissingError } from '../common/scope.errors';
import { ValidationFailedError } from '../common/tenancy.errors';
import type { Tenant } from '../registry/tenant';
import { TenantPlans } from '../registry/tenant-plans';
import type { Grantor } from './grantor';
import type { Member } from './member';
import {
  type CheckedMembersOptions,
  DEFAULT_ROLES,
  type MemberPlan,
  MEMBERS_OPTIONS,
  OWNER,
  type Roles,
} from './members.options';
import { RoleMissingError, RoleNotInPlanError } from './members.errors';

export interface Role {
  readonly name: string;
  readonly scopes: readonly string[];
  /** Whether it counts for the tenant: its plan may not include it. */
  readonly isIncluded: boolean;
}

type Rights = Pick<Member, 'roles' | 'scopes'>;

/** The roles of the application, and which of them count for a tenant. */
@Injectable()
export class MemberRoles {
  readonly #declared: ReadonlyMap<string, readonly string[]>;
  readonly #plans: TenantPlans<MemberPlan>;

  constructor(@Inject(MEMBERS_OPTIONS) private readonly options: CheckedMembersOptions) {
    this.#declared = new Map(Object.entries(withDefaults(options.roles)));
    this.#plans = new TenantPlans(options);
  }

  /** In the order of their declaration, the defaults first. */
  list(tenant: Tenant): Role[] {
    return [...this.#declared].map(([name, scopes]) => ({
      name,
      scopes,
      isIncluded: this.#isIncluded(name, tenant),
    }));
  }

  isDeclared(role: string): boolean {
    return this.#declared.has(role);
  }

  /** Those of the roles that are declared, and that the tenant's plan includes. */
  counting(roles: readonly string[], tenant: Tenant): string[] {
    return roles.filter((role) => this.#declared.has(role) && this.#isIncluded(role, tenant));
  }

  /** What somebody may do: their own scopes, and those of the roles. */
  scopesOf({ roles, scopes }: Rights): string[] {
    const all = new Set([...scopes, ...roles.flatMap((role) => this.#declared.get(role) ?? [])]);
    return all.has(ALL_SCOPES) ? [ALL_SCOPES] : [...all].sort();
  }

  /** How many members a tenant may have where no quota says so. */
  maxMembers(tenant: Tenant): number {
    return this.#plans.termsOf(tenant).maxMembers ?? this.options.maxMembers;
  }

  /**
   * @param before the roles that the member has already: they may stay, whatever became of them
   * @throws ValidationFailedError for a role that is not declared
   * @throws RoleNotInPlanError
   */
  refuseUnusable(tenant: Tenant, roles: readonly string[], before: readonly string[] = []): void {
    const added = roles.filter((role) => !before.includes(role));
    const unknown = added.filter((role) => !this.#declared.has(role));
    if (unknown.length > 0) {
      const message = `must be among ${[...this.#declared.keys()].join(', ')}`;
      throw new ValidationFailedError([{ field: 'roles', message }]);
    }
    const excluded = added.find((role) => !this.#isIncluded(role, tenant));
    if (excluded !== undefined) throw new RoleNotInPlanError(excluded);
  }

  /**
   * Refuses rights which their giver does not have.
   *
   * @throws ScopeMissingError, RoleMissingError
   */
  refuseBeyond(grantor: Grantor | undefined, rights: Rights): void {
    if (!grantor) return;
    const { scopes, member } = grantor;
    const beyond = rights.roles.find((role) => !this.#covers(scopes, member?.roles ?? [], role));
    if (beyond !== undefined) throw new RoleMissingError(beyond);
    const missing = missingScope(scopes, rights.scopes);
    if (missing !== undefined) throw new ScopeMissingError(missing);
  }

  /** A role without scopes says something to the application alone, so only those who have it can give it. */
  #covers(scopes: readonly string[], roles: readonly string[], role: string): boolean {
    const wanted = this.#declared.get(role);
    // It gives nothing any more.
    if (wanted === undefined) return true;
    if (missingScope(scopes, wanted) !== undefined) return false;
    return wanted.length > 0 || roles.includes(role) || grants(scopes, ALL_SCOPES);
  }

  #isIncluded(role: string, tenant: Tenant): boolean {
    const { roles } = this.#plans.termsOf(tenant);
    return role === OWNER || roles === undefined || roles.includes(role);
  }
}

/** A name that was given for a default role adds to it: an owner who lost a scope by a typing error could not give it back. */
export function withDefaults(roles: Roles): Roles {
  const names = new Set([...Object.keys(DEFAULT_ROLES), ...Object.keys(roles)]);
  return Object.fromEntries(
    [...names].map((name) => {
      const own = Object.hasOwn(roles, name) ? roles[name] : [];
      const standard = Object.hasOwn(DEFAULT_ROLES, name) ? DEFAULT_ROLES[name] : [];
      const scopes = [...new Set([...standard, ...own])];
      return [name, Object.freeze(scopes.includes(ALL_SCOPES) ? [ALL_SCOPES] : scopes.sort())];
    }),
  );
}
