import { applyDecorators, SetMetadata, UseGuards } from '@nestjs/common';
import { FeatureGuard } from './feature.guard';
import { REQUIRED_FEATURES } from './required-features';

/**
 * The route is only for tenants that have all of these features on; others get 403 `FEATURE_OFF`. On a class it holds for
 * all its routes, together with what a method asks for. A request without a tenant has no features.
 *
 * A feature that was not declared, or no feature, fails the start: `SETTINGS_INVALID`.
 */
export const RequireFeature = (...features: readonly [string, ...string[]]) =>
  applyDecorators(SetMetadata(REQUIRED_FEATURES, features), UseGuards(FeatureGuard));
