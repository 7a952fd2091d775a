import { ValidateIf } from './validation';

/** Absent is fine; `null` is not, unlike with class-validator's `IsOptional`. */
export const IfGiven = () => ValidateIf((_object, value) => value !== undefined);
