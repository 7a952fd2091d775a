import { type FieldProblem, refuseProblems } from '../common/field-problems';
import { isScope } from '../common/scopes';
import { foldEmail } from './email-address';
import type { Member, MemberSubject } from './member';
import { isRoleName } from './members.options';

/** What a caller says about a new member. */
export interface MemberInput {
  /** 1 to 255 characters: the `sub` of their tokens, or what the application calls them. */
  readonly subject: string;
  /** At most 512 characters of ASCII: the `iss` of their tokens. Default `''`: a subject of the application's own. */
  readonly issuer?: string;
  /** At most 254 characters, 64 of them before the `@`. Default none. */
  readonly email?: string | null;
  /** 1 to 200 characters. Default none. */
  readonly name?: string | null;
  /** At most 50 names of roles. Default `['member']`. */
  readonly roles?: readonly string[];
  /** At most 100 scopes, besides those of the roles. Default none. */
  readonly scopes?: readonly string[];
}

/** What may be changed. Somebody else is another member. */
export type MemberPatch = Partial<Pick<MemberInput, 'email' | 'name' | 'roles' | 'scopes'>>;

export type CheckedMember = MemberSubject & Pick<Member, 'email' | 'name' | 'roles' | 'scopes'>;

export const MAX_SUBJECT_LENGTH = 255;
export const MAX_ISSUER_LENGTH = 512;
export const MAX_MEMBER_NAME_LENGTH = 200;
export const MAX_ROLES = 50;
export const MAX_SCOPES = 100;
export const MAX_EMAIL_LENGTH = 254;

/** What no text may have in it: what cannot be seen, and halves of characters. */
const UNSEEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;

/** @throws ValidationFailedError naming every bad field */
export function checkMember({
  subject,
  issuer = '',
  email = null,
  name = null,
  roles = ['member'],
  scopes = [],
}: MemberInput): CheckedMember {
  refuseProblems([
    ...subjectProblems({ subject, issuer }),
    ...memberProblems({ email, name, roles, scopes }),
  ]);
  return { subject, issuer, email, name, roles: once(roles), scopes: once(scopes).sort() };
}

/** The fields that are given. @throws ValidationFailedError naming every bad one */
export function checkMemberPatch({ email, name, roles, scopes }: MemberPatch): Partial<CheckedMember> {
  refuseProblems(memberProblems({ email, name, roles, scopes }));
  return {
    ...(email === undefined ? {} : { email }),
    ...(name === undefined ? {} : { name }),
    ...(roles === undefined ? {} : { roles: once(roles) }),
    ...(scopes === undefined ? {} : { scopes: once(scopes).sort() }),
  };
}

/** Whether somebody of this name can be a member. */
export function isSubject({ subject, issuer }: MemberSubject): boolean {
  return subjectProblems({ subject, issuer }).every(([, problem]) => problem === undefined);
}

function subjectProblems({ subject, issuer }: MemberSubject): FieldProblem[] {
  return [
    [
      'subject',
      isText(subject, MAX_SUBJECT_LENGTH)
        ? undefined
        : `must be 1 to ${MAX_SUBJECT_LENGTH} characters that can be seen`,
    ],
    [
      'issuer',
      typeof issuer === 'string' && issuer.length <= MAX_ISSUER_LENGTH && /^[\x21-\x7e]*$/.test(issuer)
        ? undefined
        : `must be the iss of tokens, at most ${MAX_ISSUER_LENGTH} characters of ASCII without spaces`,
    ],
  ];
}

/** What is wrong with the fields that are given. */
export function memberProblems({ email, name, roles, scopes }: MemberPatch): FieldProblem[] {
  return [
    [
      'email',
      email == null || foldEmail(email) !== undefined
        ? undefined
        : `must be an address such as ann@example.com, at most ${MAX_EMAIL_LENGTH} characters, or null`,
    ],
    [
      'name',
      name == null || isMemberName(name)
        ? undefined
        : `must be 1 to ${MAX_MEMBER_NAME_LENGTH} characters, not only white space, or null`,
    ],
    [
      'roles',
      roles === undefined || isListOf(roles, MAX_ROLES, isRoleName)
        ? undefined
        : `must be at most ${MAX_ROLES} names of roles`,
    ],
    [
      'scopes',
      scopes === undefined || isListOf(scopes, MAX_SCOPES, isScope)
        ? undefined
        : `must be at most ${MAX_SCOPES} of resource:action or resource:*, in lower case`,
    ],
  ];
}

export function isMemberName(name: unknown): name is string {
  return isText(name, MAX_MEMBER_NAME_LENGTH);
}

function isText(text: unknown, max: number): boolean {
  if (typeof text !== 'string' || text.length > 2 * max || text.trim() === '') return false;
  return !UNSEEN.test(text) && [...text].length <= max;
}

function isListOf(list: unknown, max: number, check: (each: unknown) => boolean): boolean {
  return Array.isArray(list) && list.length <= max && list.every(check);
}

export function once(list: readonly string[]): string[] {
  return [...new Set(list)];
}
