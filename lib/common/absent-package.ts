import { PackageMissingError } from './start.errors';

/** Whether `require` failed because this package is not installed, rather than one of its own dependencies. */
export function isAbsentPackage(error: unknown, name: string): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return /^(?:ERR_)?MODULE_NOT_FOUND$/.test(String(code)) && String(message).includes(`'${name}'`);
}

/**
 * The error to throw when `require` has failed. A package that is installed but cannot be loaded keeps its own error.
 */
export function explainAbsent(error: unknown, name: string, purpose: string): unknown {
  return isAbsentPackage(error, name) ? new PackageMissingError(name, purpose, { cause: error }) : error;
}
