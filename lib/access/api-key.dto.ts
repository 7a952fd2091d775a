import { Allow, IfGiven, IsArray, IsInt, IsString } from '../http/validation';
import type { ApiKey, ShownApiKey } from './api-key';

// `checkApiKey` checks names, scopes and ranges, because calls from code go through it as well.

/** What a new key and a change of one may say. */
class ApiKeyFields {
  @IfGiven()
  @IsArray()
  @IsString({ each: true })
  scopes?: string[];

  /** RFC 3339, or `null` for never. */
  @Allow()
  expiresAt?: string | null;

  @IfGiven()
  @IsArray()
  @IsString({ each: true })
  allowedIps?: string[];
}

export class CreateApiKeyBody extends ApiKeyFields {
  @IsString()
  name!: string;
}

export class UpdateApiKeyBody extends ApiKeyFields {
  @IfGiven()
  @IsString()
  name?: string;
}

/** The body of block, unblock and revoke. */
export class ApiKeyReasonBody {
  @IfGiven()
  @IsString()
  reason?: string;
}

export class RotateApiKeyBody extends ApiKeyReasonBody {
  @IfGiven()
  @IsInt()
  overlapMs?: number;
}

/** A key as the API shows it. `key`, its text, is there only when it was just made. */
export type ApiKeyView = Omit<ApiKey, 'version'> & Partial<Pick<ShownApiKey, 'key'>>;

export function toApiKeyView({
  version: _,
  ...view
}: ApiKey & Partial<Pick<ShownApiKey, 'key'>>): ApiKeyView {
  return view;
}

/** The answer without the key's text, in which form it may be stored. */
export function withoutText(body: unknown): unknown {
  return { ...(body as ApiKeyView), key: null };
}
