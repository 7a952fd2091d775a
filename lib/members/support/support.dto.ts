import { IfGiven, IsArray, IsIn, IsInt, IsString } from '../../http/validation';
import { SUPPORT_ACCESS, type SupportAccess, type SupportSession } from './support-session';
import type { ShownSupportSession } from './support-session';

// `SupportSessions` checks what is in the fields, because calls from code go through it as well.

/** The body of a call that begins a session. */
export class EnterBody {
  @IsString()
  reason!: string;

  @IfGiven()
  @IsInt()
  minutes?: number;

  @IsArray()
  @IsString({ each: true })
  scopes!: string[];
}

/** The body of a call that makes a recovery key. */
export class RecoveryBody {
  @IsString()
  reason!: string;

  @IfGiven()
  @IsInt()
  minutes?: number;
}

/** The body of a call with which somebody becomes an owner. Never in a URL, which logs keep. */
export class RecoverBody {
  @IsString()
  key!: string;
}

export class SupportAccessBody {
  @IsIn(SUPPORT_ACCESS)
  supportAccess!: SupportAccess;
}

/** A session as the API shows it. `credential` is there only when it has just begun. */
export type SupportSessionView = Omit<SupportSession, 'version'> &
  Partial<Pick<ShownSupportSession, 'credential'>>;

export function toSupportSessionView({
  version: _,
  ...view
}: SupportSession & Partial<Pick<ShownSupportSession, 'credential'>>): SupportSessionView {
  return view;
}

/** The answer without the credential, in which form it may be stored. */
export function withoutCredential(body: unknown): unknown {
  return { ...(body as SupportSessionView), credential: null };
}
