import { applyDecorators, SetMetadata, UseGuards } from '@nestjs/common';
import { mayMiss, ModuleMissingError, needsModule } from '../common/module-check';
import { FeatureGuard } from './feature.guard';
import { REQUIRED_FEATURES } from './required-features';
import { SETTINGS_OPTIONS } from './settings.options';

const NeedsSettings = needsModule(
  SETTINGS_OPTIONS,
  () => new ModuleMissingError(['@RequireFeature()', 'TenancySettingsModule']),
);
// Which tells of the module that is missing, where Nest would tell of this guard.
mayMiss(FeatureGuard);

/**
 * The route is only for tenants that have all of these features on; others get 403 `FEATURE_OFF`. On a class it holds for
 * all its routes, together with what a method asks for. A request without a tenant has no features.
 *
 * A feature that was not declared, or no feature, fails the start: `SETTINGS_INVALID`.
 */
export const RequireFeature = (...features: readonly [string, ...string[]]) =>
  applyDecorators(SetMetadata(REQUIRED_FEATURES, features), UseGuards(NeedsSettings, FeatureGuard));
