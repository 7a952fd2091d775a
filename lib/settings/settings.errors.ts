import { HttpStatus } from '@nestjs/common';
import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import { type FieldError, TenancyError } from '../common/tenancy.errors';

/** A caller named a setting that there is not, or that is not for them to see. */
export class SettingNotFoundError extends TenancyError {
  readonly code = 'SETTING_NOT_FOUND';
  override readonly statusCode = HttpStatus.NOT_FOUND;

  constructor() {
    super('No such setting.');
  }
}

/** The tenant may read the setting; only the operator changes it. */
export class SettingReadOnlyError extends TenancyError {
  readonly code = 'SETTING_READ_ONLY';
  override readonly statusCode = HttpStatus.FORBIDDEN;

  constructor(readonly key: string) {
    super(`The setting "${key}" cannot be changed by the tenant.`);
  }
}

/** The settings were changed since the caller saw them. */
export class SettingsVersionError extends TenancyError {
  readonly code = 'PRECONDITION_FAILED';
  override readonly statusCode = HttpStatus.PRECONDITION_FAILED;

  constructor() {
    super('The settings are not in the state that the request asks for. Look at them again.');
  }
}

/** The route needs a feature that the tenant does not have. */
export class FeatureOffError extends TenancyError {
  readonly code = 'FEATURE_OFF';
  override readonly statusCode = HttpStatus.FORBIDDEN;

  constructor(readonly feature: string) {
    super(`The feature "${feature}" is not on for this tenant.`);
  }
}

/** Code named a setting or a feature that was not declared. */
export class SettingUndeclaredError extends TenancyError {
  readonly code = 'SETTING_UNDECLARED';

  constructor(key: string) {
    super(
      `"${key.slice(0, 80)}" is none of the settings given to TenancySettingsModule.forRoot(). Declare it there.`,
    );
  }
}

/** The module cannot work by what was declared. Thrown at start; all that is wrong is named. */
export class InvalidSettingsError extends InvalidOptionsError {
  readonly code = 'SETTINGS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancySettingsModule', problems);
  }
}
