import { IsDefined, ValidateIf } from '../http/validation';
import type { SettingState, SettingsSnapshot } from '../settings/tenant-settings';

export class SetSettingBody {
  /** Of any type: what it must be is the declaration's to say. `null` is a value, too. */
  @ValidateIf((_body, value) => value !== null)
  @IsDefined({ message: 'must be given' })
  value: unknown;
}

/** What a handler gives: all settings, and which of them the call is about. */
export interface AskedSettings extends SettingsSnapshot {
  readonly only?: string;
}

export interface SettingsView {
  readonly data: readonly SettingState[];
}

export function toSettingsView({ settings, only }: AskedSettings): SettingState | SettingsView {
  return settings.find(({ key }) => key === only) ?? { data: settings };
}
