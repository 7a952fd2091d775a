import { HttpStatus } from '@nestjs/common';
import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import { type FieldError, TenancyError } from '../common/tenancy.errors';

/** The caller named a setting that does not exist, or that the caller may not see. */
export class SettingNotFoundError extends TenancyError {
  readonly code = 'SETTING_NOT_FOUND';
  override readonly statusCode = HttpStatus.NOT_FOUND;

  constructor() {
    super('There is no such setting.');
  }
}

/** The tenant may read the setting, but only the operator may change it. */
export class SettingReadOnlyError extends TenancyError {
  readonly code = 'SETTING_READ_ONLY';
  override readonly statusCode = HttpStatus.FORBIDDEN;

  constructor(readonly key: string) {
    super(`The tenant may not change the setting "${key}".`);
  }
}

/** The settings were changed after the caller read them. */
export class SettingsVersionError extends TenancyError {
  readonly code = 'PRECONDITION_FAILED';
  override readonly statusCode = HttpStatus.PRECONDITION_FAILED;

  constructor() {
    super(
      'The settings do not have the version that you expected: they were changed. Read them again, then decide.',
    );
  }
}

/** The route requires a feature that the tenant does not have. */
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
      `The setting "${key.slice(0, 80)}" was not declared. Declare it in TenancySettingsModule.forRoot({ settings }).`,
    );
  }
}

/** The module cannot work with what was declared. Thrown at the start, and names everything that is wrong. */
export class InvalidSettingsError extends InvalidOptionsError {
  readonly code = 'SETTINGS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancySettingsModule', problems);
  }
}
