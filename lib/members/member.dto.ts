import { PageQuery } from '../http/page-query';
import { Allow, IfGiven, IsArray, IsString } from '../http/validation';
import type { Member } from './member';

// `checkMember` checks what is in them, because calls from code go through it as well.

/** What a new member and a change of one may say. */
class MemberFields {
  @Allow()
  email?: string | null;

  @Allow()
  name?: string | null;

  @IfGiven()
  @IsArray()
  @IsString({ each: true })
  roles?: string[];

  @IfGiven()
  @IsArray()
  @IsString({ each: true })
  scopes?: string[];
}

export class AddMemberBody extends MemberFields {
  @IsString()
  subject!: string;

  @IfGiven()
  @IsString()
  issuer?: string;
}

export class UpdateMemberBody extends MemberFields {}

/** The body of block and unblock. */
export class MemberReasonBody {
  @IfGiven()
  @IsString()
  reason?: string;
}

export class MembersQuery extends PageQuery {
  @IfGiven()
  @IsString()
  email?: string;
}

/** A member as the API shows it. */
export type MemberView = Omit<Member, 'version'>;

export function toMemberView({ version: _, ...view }: Member): MemberView {
  return view;
}
