import { checkAll } from '../common/options/check-options';
import type { Environment } from '../common/options/option.decorator';
import { InvalidTenancyOptionsError } from './options.errors';
import { type CheckedTenancyOptions, DECLARED, type TenancyOptions } from './tenancy.options';

/**
 * The options with their defaults. Where the code gives no value, the `TENANCY_*` variables do.
 *
 * @throws InvalidTenancyOptionsError naming every bad option with its value and the remedy
 */
export function resolveOptions(
  given: TenancyOptions,
  environment: Environment = process.env,
): CheckedTenancyOptions {
  return checkAll(DECLARED, given, InvalidTenancyOptionsError, environment) as CheckedTenancyOptions;
}
