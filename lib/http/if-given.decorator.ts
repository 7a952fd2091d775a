import { ValidateIf } from './validation';

/** The field may be absent. Unlike with class-validator's `IsOptional`, it must not be `null`. */
export const IfGiven = () => ValidateIf((_object, value) => value !== undefined);
