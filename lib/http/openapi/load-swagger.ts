import { isAbsentPackage } from '../../common/absent-package';

/** `@nestjs/swagger`, or `undefined` where it is not installed. One that is there and cannot be loaded is an error. */
export function loadSwagger(): typeof import('@nestjs/swagger') | undefined {
  try {
    return require('@nestjs/swagger') as typeof import('@nestjs/swagger');
  } catch (error) {
    if (isAbsentPackage(error, '@nestjs/swagger')) return undefined;
    throw error;
  }
}
