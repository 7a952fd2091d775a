/**
 * Members of tenants, their roles and scopes.
 *
 * @module nestjs-tenancy/members
 */

export { TenancyMembersModule } from './tenancy-members.module';
export {
  type MemberHook,
  type MemberJoined,
  type MemberPlan,
  type Roles,
  type SubjectReader,
  type TenancyMembersExtras,
  type TenancyMembersOptions,
} from './members.options';
export { type Member, type MemberStatus, type MemberSubject } from './member';
export { CurrentMember } from './current-member.decorator';
export { type MemberInput, type MemberPatch } from './member-input';
export { type MemberQuery } from './member-rows';
export { type Grantor, MemberRoles, type Role } from './member-roles';
export {
  type AddMemberOptions,
  type MemberChangeOptions,
  MembersService,
  type MemberWriteOptions,
} from './members.service';
export {
  InvalidMembersOptionsError,
  LastOwnerError,
  MemberExistsError,
  MemberLimitError,
  MemberNotFoundError,
  MemberVersionError,
  RoleMissingError,
  RoleNotInPlanError,
} from './members.errors';
