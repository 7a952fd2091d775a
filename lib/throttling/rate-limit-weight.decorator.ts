import { applyDecorators, SetMetadata, UseGuards } from '@nestjs/common';
import { needsModule } from '../common/module-check';
import { ModuleMissingError } from '../common/start.errors';
import { THROTTLING_OPTIONS } from './throttling.options';

export const RATE_LIMIT_WEIGHT = Symbol('RATE_LIMIT_WEIGHT');

const MAX_WEIGHT = 1_000_000;

/** Without the module, the weight would be ignored silently. */
const NeedsThrottling = needsModule(
  THROTTLING_OPTIONS,
  () => new ModuleMissingError(['@RateLimitWeight()', 'TenancyThrottlingModule']),
);

/**
 * How much a request to this route, or to the routes of this class, takes from its tenant's rate limits: an integer
 * from 0 to 1,000,000. Default 1. With 0 the route is not limited.
 *
 * @throws RangeError when the weight is not such an integer
 */
export function RateLimitWeight(weight: number): ClassDecorator & MethodDecorator {
  if (!Number.isInteger(weight) || weight < 0 || weight > MAX_WEIGHT)
    throw new RangeError(`The weight of a route must be an integer from 0 to ${MAX_WEIGHT}, not ${weight}.`);
  return applyDecorators(SetMetadata(RATE_LIMIT_WEIGHT, weight), UseGuards(NeedsThrottling));
}
