import type { Type } from '@nestjs/common';
import { loadPackage } from '../common/absent-package';

export type { ValidationError } from 'class-validator';

function load(): typeof import('class-validator') {
  return loadPackage('class-validator', 'each of nestjs-tenancy/access, admin, usage and webhooks', () =>
    require('class-validator'),
  );
}

/** The rules by which our HTTP APIs check bodies and queries. */
export const {
  Allow,
  IsArray,
  IsBoolean,
  IsDefined,
  IsIn,
  IsInt,
  IsObject,
  IsString,
  Matches,
  Max,
  Min,
  ValidateIf,
  validate,
} = load();

/** The field may be absent. Unlike with class-validator's `IsOptional`, it must not be `null`. */
export const IfGiven = () => ValidateIf((_object, value) => value !== undefined);

const NESTED = Symbol('nestjs-tenancy nested fields');

/** The field is an object with the fields of another class. */
export const HasFieldsOf =
  (inner: Type<object>): PropertyDecorator =>
  (prototype, field) => {
    const known = nestedFields(prototype.constructor as Type<object>);
    Reflect.defineMetadata(NESTED, [...known, [field, inner]], prototype.constructor);
  };

export function nestedFields(type: Type<object>): readonly (readonly [field: string, inner: Type<object>])[] {
  return (Reflect.getMetadata(NESTED, type) ?? []) as [string, Type<object>][];
}
