import { applyDecorators, SetMetadata, UseGuards } from '@nestjs/common';
import { mayMiss, needsModule } from '../common/module-check';
import { ModuleMissingError } from '../common/start.errors';
import { FeatureGuard } from './feature.guard';
import { REQUIRED_FEATURES } from './required-features';
import { SETTINGS_OPTIONS } from './settings.options';

const NeedsSettings = needsModule(
  SETTINGS_OPTIONS,
  () => new ModuleMissingError(['@RequireFeature()', 'TenancySettingsModule']),
);
// If the module is missing, `NeedsSettings` names it. Nest would name this guard instead.
mayMiss(FeatureGuard);

/**
 * Only tenants that have all of these features may use the route; others get 403 `FEATURE_OFF`. On a class it holds for
 * all routes, in addition to what a method requires. A request without a tenant has no features.
 *
 * A feature that was not declared, or an empty list, fails the start: `SETTINGS_INVALID`.
 */
export const RequireFeature = (...features: readonly [string, ...string[]]) =>
  applyDecorators(SetMetadata(REQUIRED_FEATURES, features), UseGuards(NeedsSettings, FeatureGuard));
