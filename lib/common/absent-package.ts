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

/**
 * What `load` requires, for a folder that needs the package. It names the package itself, so that bundlers see it. Where an
 * application may do without the package, write `try` around `require` and throw `explainAbsent()`: else esbuild refuses to
 * bundle that application.
 *
 * @throws PackageMissingError when it is not installed
 */
export function loadPackage<Package>(name: string, purpose: string, load: () => unknown): Package {
  try {
    return load() as Package;
  } catch (error) {
    throw explainAbsent(error, name, purpose);
  }
}
