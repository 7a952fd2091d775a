/**
 * Settings and features of a tenant.
 *
 * @module nestjs-tenancy/settings
 */

export { TenancySettingsModule } from './tenancy-settings.module';
export { type TenancySettingsExtras, type TenancySettingsOptions } from './settings.options';
export {
  defineSettings,
  feature,
  type FeatureOptions,
  type KeyOf,
  setting,
  type Setting,
  type SettingOptions,
  type Settings,
  type TenantAccess,
  type ValueOf,
} from './setting';
export {
  type SettingChangeOptions,
  type SettingsSnapshot,
  type SettingState,
  TenantSettings,
} from './tenant-settings';
export { RequireFeature } from './require-feature.decorator';
export {
  FeatureOffError,
  InvalidSettingsError,
  SettingNotFoundError,
  SettingReadOnlyError,
  SettingsVersionError,
  SettingUndeclaredError,
} from './settings.errors';
