import { isAbsentPackage } from '../../common/absent-package';

/** `@nestjs/swagger`, or `undefined` if it is not installed. Throws if it is installed but cannot be loaded. */
export function loadSwagger(): typeof import('@nestjs/swagger') | undefined {
  try {
    return require('@nestjs/swagger') as typeof import('@nestjs/swagger');
  } catch (error) {
    if (isAbsentPackage(error, '@nestjs/swagger')) return undefined;
    throw error;
  }
}
