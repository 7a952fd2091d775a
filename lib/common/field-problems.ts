import { type FieldError, ValidationFailedError } from './tenancy.errors';

/** A field of what a caller sent, and what is wrong with it; `undefined` when nothing is. */
export type FieldProblem = readonly [field: string, problem: string | undefined];

/** @throws ValidationFailedError naming every bad field */
export function refuseProblems(problems: readonly FieldProblem[]): void {
  const errors = problems.flatMap(([field, message]): FieldError[] => (message ? [{ field, message }] : []));
  if (errors.length > 0) throw new ValidationFailedError(errors);
}
