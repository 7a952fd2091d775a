import { type ArgumentMetadata, Injectable, type PipeTransform, type Type } from '@nestjs/common';
import { validate, type ValidationError } from './validation';
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
  const instance = Object.assign(new metatype(), fieldsOf(value, type));
  const errors = await validate(instance, {
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    validationError: { target: false, value: false },
  });
  if (errors.length > 0) throw new ValidationFailedError(errors.flatMap(fieldErrors));
  return instance;
}

/** A missing body counts as one without fields. */
function fieldsOf(value: unknown, type: string): object {
  const fields = value ?? {};
  if (typeof fields !== 'object' || Array.isArray(fields)) {
    throw new ValidationFailedError([{ field: type, message: 'must be a JSON object' }]);
  }
  // class-validator looks up rules in an ordinary object, so it would take `toString` and other inherited names for
  // known fields.
  const inherited = Object.keys(fields).filter((name) => name in Object.prototype);
  if (inherited.length > 0) {
    throw new ValidationFailedError(inherited.map((field) => ({ field, message: 'should not exist' })));
  }
  return fields;
}

function fieldErrors({ property, constraints = {} }: ValidationError): FieldError[] {
  return Object.values(constraints).map((message) => ({
    field: property,
    message: withoutName(message, property),
  }));
}

/** Removes the field's name, which the error already states: `slug must be a string` under `slug`. */
function withoutName(message: string, property: string): string {
  const prefix = [`property ${property} `, `${property} `].find((each) => message.startsWith(each)) ?? '';
  return message.slice(prefix.length);
}
