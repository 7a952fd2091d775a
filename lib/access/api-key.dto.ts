import { Allow, IsArray, IsInt, IsString } from '../http/validation';
import { IfGiven } from '../http/if-given.decorator';
import type { ApiKey, ShownApiKey } from './api-key';

// What a name, a scope or a range may be is checked by `checkApiKey`, which code goes through as well.

export class CreateApiKeyBody {
  @IsString()
  name!: string;

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

export class UpdateApiKeyBody {
  @IfGiven()
  @IsString()
  name?: string;

  @IfGiven()
  @IsArray()
  @IsString({ each: true })
  scopes?: string[];

  @Allow()
  expiresAt?: string | null;

  @IfGiven()
  @IsArray()
  @IsString({ each: true })
  allowedIps?: string[];
}

/** Of block, unblock and revoke. */
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

/** A key as the API shows it; `key`, its text, only when it was made just now. */
export type ApiKeyView = Omit<ApiKey, 'version'> & Partial<Pick<ShownApiKey, 'key'>>;

export function toApiKeyView({
  version: _,
  ...view
}: ApiKey & Partial<Pick<ShownApiKey, 'key'>>): ApiKeyView {
  return view;
}

/** The same without its text, for keeping. */
export function withoutText(body: unknown): unknown {
  return { ...(body as ApiKeyView), key: null };
}
