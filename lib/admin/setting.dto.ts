import { IsDefined, ValidateIf } from '../http/validation';
import type { SettingState, SettingsSnapshot } from '../settings/tenant-settings';

export class SetSettingBody {
  /** A value of any type, which the declaration checks. `null` is a value, too. */
  @ValidateIf((_body, value) => value !== null)
  @IsDefined({ message: 'must be given' })
  value: unknown;
}

/** What a handler returns: all settings, and the one that was requested, if any. */
export interface AskedSettings extends SettingsSnapshot {
  readonly only?: string;
}

export interface SettingsView {
  readonly data: readonly SettingState[];
}

export function toSettingsView({ settings, only }: AskedSettings): SettingState | SettingsView {
  return settings.find(({ key }) => key === only) ?? { data: settings };
}
