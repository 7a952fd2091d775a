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
export { type Grantor } from './grantor';
export { MemberRoles, type Role } from './member-roles';
export {
  type AddMemberOptions,
  type MemberChangeOptions,
  MembersService,
  type MemberWriteOptions,
} from './members.service';
export {
  type InvitationChangeOptions,
  Invitations,
  type InvitationWriteOptions,
  type InviteOptions,
  type Joined,
} from './invitations/invitations';
export { type Invitation, type InvitationStatus, type ShownInvitation } from './invitations/invitation';
export { type InvitationInput } from './invitations/invitation-input';
export { type InvitationQuery } from './invitations/invitation-rows';
export {
  type InvitationMail,
  InvitationMailer,
  LoggingMailer,
  type RecoveryNotice,
} from './invitations/invitation-mailer';
export {
  nodemailerMailer,
  type NodemailerMailerOptions,
  type NodemailerMessage,
  type NodemailerTransport,
} from './invitations/nodemailer-mailer';
export { fromSupportKey } from './support/from-support-key';
export { type EnterOptions, type SupportChangeOptions, SupportSessions } from './support/support-sessions';
export { type SupportInput } from './support/support-input';
export {
  type ShownSupportSession,
  type SupportAccess,
  type SupportSession,
  type SupportStatus,
} from './support/support-session';
export { type SupportQuery } from './support/support-rows';
export { type RecoveryInput, RecoveryKeys, type ShownRecoveryKey } from './recovery/recovery-keys';
export { type RecoveryKey } from './recovery/recovery-rows';
export {
  MembersModuleMissingError,
  OwnerRequiredError,
  SupportEndedError,
  SupportForbiddenError,
  SupportKeyInvalidError,
  SupportNotApprovedError,
  SupportOverSocketError,
  SupportSessionNotFoundError,
} from './support/support.errors';
export {
  RecoveryKeyExistsError,
  RecoveryKeyInvalidError,
  SubjectMissingError,
} from './recovery/recovery.errors';
export {
  InvitationEndedError,
  InvitationLimitError,
  InvitationNotFoundError,
  InvitationNotYoursError,
  InvitationPendingError,
  InvitationVersionError,
} from './invitations/invitations.errors';
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
