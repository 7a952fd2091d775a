import { type FieldError } from '../tenancy.errors';
import { StartError } from '../start.errors';
import { sentences } from './check-options';

/** A module was given options that it cannot work with. Thrown at start, with every bad option named. */
export abstract class InvalidOptionsError extends StartError {
  declare readonly problems: readonly FieldError[];

  constructor(module: string, problems: readonly FieldError[]) {
    super(`${module} cannot start:\n${sentences(problems)}`, { details: { problems } });
  }
}
