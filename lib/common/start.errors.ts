import { inspect } from 'node:util';
import { withHint } from './database-hint';
import { ownFrames } from './own-frames';
import { inRemedy } from './sql';
import { hide, OperatorError, printed, TenancyError } from './tenancy.errors';

export interface StartErrorOptions {
  readonly cause?: unknown;
  /** Adds fields for code to read. They are not enumerable, because they would be printed beside the message. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * An error that makes a start fail. The message says everything. Node prints an uncaught error with its stack,
 * its fields and its cause, so the stack has only lines of the application, and fields and cause can be read but
 * are not enumerable.
 *
 * Those of connections, provisioning and the registry stand in the `…-start.errors.ts` of these folders.
 */
export abstract class StartError extends OperatorError {
  constructor(message: string, { cause, details = {} }: StartErrorOptions = {}) {
    super(message);
    this.stack = [`${this.name}: ${message}`, ...framesOf(cause)].join('\n');
    hide(this, ['statusCode', 'name', 'message']);
    // Nest declares it, and Node shows it where it is: the value of a getter it does not.
    delete this.cause;
    if (cause !== undefined) Object.defineProperty(this, 'cause', { get: () => cause });
    for (const [name, value] of Object.entries(details)) Object.defineProperty(this, name, { value });
  }

  override [inspect.custom](): string {
    return printed(this);
  }
}

/** Where in the application it happened: the stack of the innermost error. */
function framesOf(cause: unknown): string[] {
  if (!(cause instanceof Error)) return [];
  const inner = framesOf(cause.cause);
  return inner.length > 0 ? inner : ownFrames(cause.stack);
}

/**
 * A start failed for a reason that has no error class of its own: PostgreSQL refused a statement, or TypeORM an entity.
 */
export class StartFailedError extends StartError {
  readonly code = 'START_FAILED';

  /** `user` and `database`: who asked PostgreSQL, and where. */
  constructor(what: string, cause: unknown, { user = '<role>', database = '<database>' } = {}) {
    const inner = (cause as { driverError?: unknown } | undefined)?.driverError ?? cause;
    const { code } = (inner ?? {}) as { code?: unknown };
    const state = typeof code === 'string' ? ` (${code})` : '';
    const grant = `GRANT CREATE ON DATABASE ${inRemedy(database)} TO ${inRemedy(user)}`;
    const remedy =
      code === '42501'
        ? ` The role that logs in lacks a right: grant it (to make a schema: ${grant}), or let the owner make what is missing.`
        : '';
    super(`${what} cannot start: ${withHint(cause).replace(/\.$/, '')}${state}.${remedy}`, { cause });
  }
}

/** Runs `work`. An error that is not ours is wrapped into a sentence about `what`. */
export async function startWith<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof TenancyError ? error : new StartFailedError(what, error);
  }
}

/** The application imports one of our modules, but not another module that it needs. */
export class ModuleMissingError extends StartError {
  readonly code = 'MODULE_MISSING';

  /** `what` is what needs the missing module: a module, an option, or a decorator. */
  constructor(...missing: readonly (readonly [what: string, module: string])[]) {
    const needs = missing.map(([what, module]) => `${what} needs ${module}`).join(' and ');
    const remedies = missing.map(([, module]) => `${module}.forRoot(…)`).join(' and ');
    super(
      `${needs}, which the application does not import: add ${remedies} to the imports of its root module.`,
    );
  }
}

/** One of our modules is imported more than once. */
export class ModuleImportedTwiceError extends StartError {
  readonly code = 'MODULE_IMPORTED_TWICE';

  constructor(name: string, times: number) {
    super(
      `${name} is imported ${times} times. Import ${name}.forRoot(…) once, in the root module, and nowhere ${name} by itself: ` +
        'what it exports can be injected everywhere, and repositories of entities come with TenancyModule.forFeature([…]).',
    );
  }
}

/** One of our modules is imported without `forRoot()`. */
export class ModuleWithoutOptionsError extends StartError {
  readonly code = 'MODULE_WITHOUT_OPTIONS';

  constructor(name: string) {
    super(
      `${name} is imported by its name alone, without options: import ${name}.forRoot(…) once, in the root module, and nowhere ` +
        `${name} by itself. What it exports can be injected everywhere.`,
    );
  }
}

/** One of our modules is loaded while the application runs, as by Nest's `LazyModuleLoader`. */
export class ModuleLoadedLateError extends StartError {
  readonly code = 'MODULE_LOADED_LATE';

  constructor(name: string) {
    super(
      `${name} is loaded when the application has started, as LazyModuleLoader does. Nest registers no guard, interceptor or ` +
        'route of such a module and calls none of its lifecycle hooks, and tables of ours are made at the start. Import ' +
        `${name}.forRoot(…) in the root module, without LazyModuleLoader.`,
    );
  }
}

/** An optional package is not installed. */
export class PackageMissingError extends StartError {
  readonly code = 'PACKAGE_MISSING';

  constructor(name: string, purpose: string, options?: { cause?: unknown }) {
    super(
      `The package "${name}" is not installed. It is an optional peer dependency, which ${purpose} needs: npm install ${name}`,
      options,
    );
  }
}
