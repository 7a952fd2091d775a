import { IfGiven, IsArray, IsBoolean, IsIn, IsString } from '../../http/validation';
import { PageQuery } from '../../http/page-query';
import type { Invitation, ShownInvitation } from './invitation';

// `checkInvitation` checks addresses, roles and scopes, because calls from code go through it as well.

export class CreateInvitationBody {
  @IsString()
  email!: string;

  @IfGiven()
  @IsArray()
  @IsString({ each: true })
  roles?: string[];

  @IfGiven()
  @IsArray()
  @IsString({ each: true })
  scopes?: string[];

  @IfGiven()
  @IsBoolean()
  anyEmail?: boolean;
}

/** The body of a call that sends an invitation again. */
export class InvitationReasonBody {
  @IfGiven()
  @IsString()
  reason?: string;
}

export class InvitationQueryFields extends PageQuery {
  /** `pending` (the default) or `all`. */
  @IfGiven()
  @IsIn(['pending', 'all'])
  status?: 'pending' | 'all';
}

/** The body of accept and decline. Never in a URL, which logs keep. */
export class InvitationSecretBody {
  @IsString()
  secret!: string;
}

/** An invitation as the API shows it. `secret` and `isMailed` are there only when it was just made or sent again. */
export type InvitationView = Omit<Invitation, 'version'> &
  Partial<Pick<ShownInvitation, 'secret' | 'isMailed'>>;

export function toInvitationView({
  version: _,
  ...view
}: Invitation & Partial<Pick<ShownInvitation, 'secret' | 'isMailed'>>): InvitationView {
  return view;
}

/** The answer without the secret, in which form it may be stored. */
export function withoutSecret(body: unknown): unknown {
  return { ...(body as InvitationView), secret: null };
}
