import type { EntityManager } from 'typeorm';
import {
  anything,
  callback,
  flag,
  group,
  integer,
  isPlainObject,
  kind,
  milliseconds,
} from '../common/options/kinds';
import { problemsOf } from '../common/options/check-options';
import { type Given, Option, OptionsRule } from '../common/options/option.decorator';
import { ALL_SCOPES, isScope } from '../common/scopes';
import { show } from '../common/show-value';
import type { FieldError } from '../common/tenancy.errors';
import { CheckedLookupCacheOptions } from '../registry/cache/lookup-cache.options';
import type { Tenant } from '../registry/tenant';
import { defaultPlanProblem, type PlanReader } from '../registry/tenant-plans';
import { CheckedInvitationsOptions } from './invitations/invitations.options';
import type { Member, MemberSubject } from './member';
import { CheckedSupportOptions } from './support/support.options';

export const MEMBERS_OPTIONS = Symbol('MEMBERS_OPTIONS');

const DAY_MS = 86_400_000;
const ROLE = /^[a-z][a-z0-9_-]{0,49}$/;

export function isRoleName(name: unknown): name is string {
  return typeof name === 'string' && ROLE.test(name);
}

/** The scopes of each role, by its name. */
export type Roles = Readonly<Record<string, readonly string[]>>;

/** What tenants on a plan may have. */
export class MemberPlan {
  /** The roles that count, by name; `owner` always does. Default: all. */
  @Option(kind<readonly string[]>('give a list of names of roles', (value) => Array.isArray(value)))
  readonly roles?: readonly string[];

  /** How many members, from 1 to 1,000,000. Default: `maxMembers` of the module. */
  @Option(integer(1, 1_000_000))
  readonly maxMembers?: number;
}

/** Somebody has just become a member. */
export interface MemberJoined {
  readonly tenant: Tenant;
  readonly member: Member;
  /** Of the transaction in the registry that adds the member. What it writes is committed with the member, or not at all. */
  readonly manager: EntityManager;
}

@OptionsRule<CheckedMembersOptions>((_options, { roles, plans, defaultPlan }) => [
  plans === undefined &&
    defaultPlan !== undefined && {
      field: 'defaultPlan',
      message: `is ${show(defaultPlan)}, but there are no plans: give plans, too`,
    },
  defaultPlanProblem(plans, defaultPlan),
  ...unknownRoles(roles, plans),
])
export class CheckedMembersOptions {
  /**
   * Roles, each with its scopes: `resource:action`, `resource:*`, or `*` for all. They are added to the roles `owner`
   * (`*`), `admin` (`members:*`, `keys:*`) and `member` (`members:read`), and scopes given for one of these to those
   * it has. Default none. @see docs/members.md#roles
   */
  @Option(kind<Roles>('give lists of scopes by the names of roles', isPlainObject, { inside: rolesProblems }))
  readonly roles: Roles = {};

  /** How many members a tenant may have, blocked ones included: 1 to 1,000,000. A plan may say otherwise. Default 1,000. */
  @Option(integer(1, 1_000_000))
  readonly maxMembers: number = 1_000;

  /** What tenants on a plan may have, by the plan's name. Default: all tenants may have all roles. */
  @Option(
    kind<Readonly<Record<string, MemberPlan>>>(
      'give { roles, maxMembers } by the names of plans',
      isPlainObject,
      {
        inside: (plans, path) =>
          Object.entries(plans as object).flatMap(([name, plan]: [string, unknown]) =>
            isPlainObject(plan)
              ? problemsOf(MemberPlan, plan, `${path}.${name}`)
              : [
                  {
                    field: `${path}.${name}`,
                    message: `is ${show(plan)}: give { roles, maxMembers }, or {}`,
                  },
                ],
          ),
      },
    ),
  )
  // Without plans, every tenant is on one that grants everything.
  readonly plans: Readonly<Record<string, MemberPlan>> = { none: {} };

  /** One of `plans`, for tenants whose plan is missing or unknown. Default none; required with `plans`. */
  @Option(anything<string>())
  readonly defaultPlan: string = 'none';

  /** Returns the name of a tenant's plan. Default its `metadata.plan`. */
  @Option(callback<PlanReader>('give a function of a tenant'))
  readonly planOf?: PlanReader;

  /**
   * Who the owner of a verified token is, by its claims; `undefined` for nobody. For an application that knows people by
   * another name than their issuer's. Default: the claims `iss` and `sub`.
   */
  @Option(callback<SubjectReader>('give a function of the claims of a token'))
  readonly subjectOf?: SubjectReader;

  /**
   * Called for each new member, in the tenant's context and in the transaction that adds them. When it throws, nobody
   * was added. Default none.
   */
  @Option(callback<MemberHook>('give a function of { tenant, member, manager }'))
  readonly onMemberJoined?: MemberHook;

  /** How people are invited. */
  @Option(group(CheckedInvitationsOptions, { variables: false }))
  readonly invitations: CheckedInvitationsOptions = new CheckedInvitationsOptions();

  /** How people who support the application enter tenants. */
  @Option(group(CheckedSupportOptions, { variables: false }))
  readonly support: CheckedSupportOptions = new CheckedSupportOptions();

  /** The time between two writes of `lastSeenAt`, in milliseconds from 1 to a day. Default 10,000. */
  @Option(milliseconds(1, DAY_MS))
  readonly lastSeenIntervalMs: number = 10_000;

  /** How many members are cached and for how long, as for tenants. */
  @Option(group(CheckedLookupCacheOptions, { variables: false }))
  readonly cache: CheckedLookupCacheOptions = new CheckedLookupCacheOptions();
}

export type SubjectReader = (
  claims: Readonly<Record<string, unknown>>,
) => (Partial<Pick<MemberSubject, 'issuer'>> & Pick<MemberSubject, 'subject'>) | undefined;

export type MemberHook = (joined: MemberJoined) => void | Promise<void>;

export type TenancyMembersOptions = Given<CheckedMembersOptions, 'cache' | 'invitations' | 'support'>;

/** Options that are given where the module is imported. */
export class CheckedMembersExtras {
  /**
   * Whether the routes `/me/tenants`, `/tenant/members`, `/tenant/roles`, `/tenant/invitations`, `/tenant/support`, `/invitations`
   * and `/recovery` exist. Default
   * true. Without them write your own, with `MembersService` and `Invitations`.
   */
  @Option(flag())
  readonly routes: boolean = true;
}

export type TenancyMembersExtras = Given<CheckedMembersExtras>;

function rolesProblems(roles: unknown, path: string): FieldError[] {
  return Object.entries(roles as object).flatMap(([role, scopes]: [string, unknown]) => {
    if (!isRoleName(role))
      return [
        {
          field: path,
          message: `has the name ${show(role)}: give 1 to 50 of a-z 0-9 _ -, beginning with a letter`,
        },
      ];
    const isList = Array.isArray(scopes) && scopes.every((scope) => scope === ALL_SCOPES || isScope(scope));
    if (isList) return [];
    const message = `is ${show(scopes)}: list scopes such as 'orders:read' or 'orders:*', or '*' for all`;
    return [{ field: `${path}.${role}`, message }];
  });
}

/** A role in a plan that is not declared would never count, which its author would learn from no one. */
function unknownRoles(roles: unknown, plans: unknown): FieldError[] {
  const declared = [...DEFAULT_ROLE_NAMES, ...(isPlainObject(roles) ? Object.keys(roles) : [])];
  const given = isPlainObject(plans) ? Object.entries(plans) : [];
  return given.flatMap(([name, plan]) => {
    const named = isPlainObject(plan) && Array.isArray(plan.roles) ? (plan.roles as unknown[]) : [];
    const unknown = named.filter((role) => !declared.includes(role as string));
    if (unknown.length === 0) return [];
    const list = unknown.map((role) => show(role)).join(', ');
    const message = `names ${list}: roles are ${declared.join(', ')}`;
    return [{ field: `plans.${name}.roles`, message }];
  });
}

export const OWNER = 'owner';

/** What there is without a word of the application. */
export const DEFAULT_ROLES: Roles = {
  [OWNER]: [ALL_SCOPES],
  admin: ['members:*', 'keys:*'],
  member: ['members:read'],
};
const DEFAULT_ROLE_NAMES = Object.keys(DEFAULT_ROLES);
