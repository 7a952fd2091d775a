import { type ArgumentMetadata, Injectable, type PipeTransform, type Type } from '@nestjs/common';
import { validate, type ValidationError } from './validation';
import { type FieldError, ValidationFailedError } from '../common/tenancy.errors';

/**
 * Checks bodies and queries of our APIs by the rules of their classes; what these do not know is refused.
 *
 * Not Nest's ValidationPipe: that one drops keys such as `constructor` at any depth, and metadata would lose them
 * without a word. Here a value's fields are taken just as they came.
 */
@Injectable()
export class ApiValidationPipe implements PipeTransform {
  /** @throws ValidationFailedError naming every bad field */
  async transform(value: unknown, { type, metatype }: ArgumentMetadata): Promise<unknown> {
    if ((type !== 'body' && type !== 'query') || !metatype || metatype === Object) return value;
    return checkFields(value, type, metatype as Type<object>);
  }
}

/** The instance of a class that a body or a query makes. @throws ValidationFailedError naming every bad field */
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

/** No body at all is one without fields. */
function fieldsOf(value: unknown, type: string): object {
  const fields = value ?? {};
  if (typeof fields !== 'object' || Array.isArray(fields)) {
    throw new ValidationFailedError([{ field: type, message: 'must be a JSON object' }]);
  }
  // class-validator looks rules up in an ordinary object, so it would take `toString` and its kin for known.
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

/** `slug must be a string` under `slug` would say it twice. */
function withoutName(message: string, property: string): string {
  const prefix = [`property ${property} `, `${property} `].find((each) => message.startsWith(each)) ?? '';
  return message.slice(prefix.length);
}
