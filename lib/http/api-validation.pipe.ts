import { type ArgumentMetadata, Injectable, type PipeTransform, type Type } from '@nestjs/common';
import { nestedFields, validate, type ValidationError } from './validation';
import { type FieldError, ValidationFailedError } from '../common/tenancy.errors';

/**
 * Checks bodies and queries of our APIs by the rules of their classes. Fields without a rule are refused.
 *
 * Nest's ValidationPipe is not used, because it silently drops keys such as `constructor` at any depth, and a tenant's
 * metadata would lose them. Here the values of fields stay as they were sent.
 */
@Injectable()
export class ApiValidationPipe implements PipeTransform {
  /** @throws ValidationFailedError naming every bad field */
  async transform(value: unknown, { type, metatype }: ArgumentMetadata): Promise<unknown> {
    if ((type !== 'body' && type !== 'query') || !metatype || metatype === Object) return value;
    return checkFields(value, type, metatype as Type<object>);
  }
}

/**
 * The instance of the class with the fields of a body or a query. @throws ValidationFailedError naming every bad field
 */
export async function checkFields<T extends object>(
  value: unknown,
  type: 'body' | 'query',
  metatype: Type<T>,
): Promise<T> {
  const { instance, errors } = await check(value, type, metatype);
  if (errors.length > 0) throw new ValidationFailedError(errors);
  return instance;
}

/** @param path of the object inside of the body, with a dot at its end */
async function check<T extends object>(
  value: unknown,
  type: 'body' | 'query',
  metatype: Type<T>,
  path = '',
): Promise<{ instance: T; errors: FieldError[] }> {
  const instance = Object.assign(new metatype(), fieldsOf(value, type, path));
  const errors = await validate(instance, {
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    validationError: { target: false, value: false },
  });
  const all = errors.flatMap((error) => fieldErrors(error, path));
  for (const [field, inner] of nestedFields(metatype)) {
    const given = (instance as Record<string, unknown>)[field];
    // Another kind of value has its error already.
    if (typeof given !== 'object' || given === null || Array.isArray(given)) continue;
    all.push(...(await check(given, type, inner, `${path}${field}.`)).errors);
  }
  return { instance, errors: all };
}

/** A missing body counts as one without fields. */
function fieldsOf(value: unknown, type: string, path: string): object {
  const fields = value ?? {};
  if (typeof fields !== 'object' || Array.isArray(fields)) {
    throw new ValidationFailedError([{ field: type, message: 'must be a JSON object' }]);
  }
  // class-validator looks up rules in an ordinary object, so it would take `toString` and other inherited names for
  // known fields.
  const inherited = Object.keys(fields).filter((name) => name in Object.prototype);
  if (inherited.length > 0) {
    throw new ValidationFailedError(
      inherited.map((field) => ({ field: path + field, message: 'should not exist' })),
    );
  }
  return fields;
}

function fieldErrors({ property, constraints = {} }: ValidationError, path: string): FieldError[] {
  return Object.values(constraints).map((message) => ({
    field: path + property,
    message: withoutName(message, property),
  }));
}

/** Removes the field's name, which the error already states: `slug must be a string` under `slug`. */
function withoutName(message: string, property: string): string {
  const prefix = [`property ${property} `, `${property} `].find((each) => message.startsWith(each)) ?? '';
  return message.slice(prefix.length);
}
