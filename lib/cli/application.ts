import { Global, Injectable, type INestApplicationContext, type LoggerService, Module } from '@nestjs/common';
import { ModulesContainer, NestFactory } from '@nestjs/core';
import {
  type OptionsChange,
  type CheckedTenancyOptions,
  TENANCY_OPTIONS,
  TENANCY_OPTIONS_CHANGE,
} from '../options/tenancy.options';
import { type RegistryMigration, registryMigrations } from '../registry/registry-migrations';
import { CommandLineError } from './cli.errors';
import { loadModule, type RootModule } from './load-module';
import { NoTimers } from './no-timers';
import { Terminal } from './terminal';

/** A class, abstract ones too. */
type Service<T> = abstract new (...args: never[]) => T;

interface OpenOptions {
  readonly module?: string;
  readonly verbose?: boolean;
}

/** A command does what it is asked to, and nothing in the background; nor does it wait for a server that is down. */
const quiet: OptionsChange = (options) => ({
  ...options,
  database: { ...options.database, connectAttempts: 1 },
  sweeper: { ...options.sweeper, intervalMs: 0 },
  spares: { ...options.spares, count: 0 },
});

/** What the application is started for. */
const PURPOSES = {
  /** To change something: registry and template are brought up to date first, as the application itself would do. */
  change: quiet,
  /** Only to look: nothing is migrated, and a template that is behind is no error. */
  look: (options) => ({ ...leaveTemplate(options), registry: { ...options.registry, migrate: false } }),
  /** To migrate: the command itself does so, whatever the application would do at its start. */
  migrate: (options) => ({ ...leaveTemplate(options), registry: { ...options.registry, migrate: true } }),
  /** To make API keys: their tables are made as at the application's own start, and the template is left alone. */
  keys: (options) => leaveTemplate(options),
  /** To make spares: as many as the application wants. */
  spares: (options) => ({ ...quiet(options), spares: options.spares }),
} satisfies Record<string, OptionsChange>;

export type Purpose = keyof typeof PURPOSES;

function leaveTemplate(options: CheckedTenancyOptions): CheckedTenancyOptions {
  return { ...quiet(options), leaveTemplate: true };
}

/** The options were all that was asked for: the start ends here. */
class OptionsKnown extends Error {
  constructor(readonly options: CheckedTenancyOptions) {
    super('The options are known.');
  }
}

/** The user's application, started without serving anybody. */
@Injectable()
export class Application {
  #context: INestApplicationContext | undefined;
  #configured: CheckedTenancyOptions | undefined;
  #registryMigrations: readonly RegistryMigration[] = [];

  constructor(private readonly terminal: Terminal) {}

  /**
   * One of its services. @throws CommandLineError when there is no application with tenancy, or not the module `of` which
   * the service is
   */
  async get<T>(
    service: Service<T>,
    purpose: Purpose,
    options: OpenOptions,
    of = 'TenancyModule',
  ): Promise<T> {
    const context = (this.#context ??= await this.#start(
      await loadModule(options.module),
      PURPOSES[purpose],
      options,
    ));
    try {
      return context.get<T>(service, { strict: false });
    } catch (error) {
      throw new CommandLineError(
        `The application has no ${service.name}: import ${of} in its root module first.`,
        { cause: error },
      );
    }
  }

  /** Its options as the application has them, once it has been started. */
  get configured(): CheckedTenancyOptions {
    return this.#configured!;
  }

  /** What makes the registry's tables, with those of the modules that the application imports, once it has been started. */
  get registryMigrations(): readonly RegistryMigration[] {
    return this.#registryMigrations;
  }

  /** The application's checked options. Nothing is connected to. @throws InvalidTenancyOptionsError, CommandLineError */
  async options(options: OpenOptions): Promise<CheckedTenancyOptions> {
    const stop: OptionsChange = (resolved) => {
      throw new OptionsKnown(resolved);
    };
    try {
      const context = await this.#start(await loadModule(options.module), stop, options);
      await context.close();
    } catch (error) {
      if (error instanceof OptionsKnown) return error.options;
      throw error;
    }
    throw new CommandLineError(NO_TENANCY);
  }

  async close(): Promise<void> {
    await this.#context?.close();
  }

  async #start(
    root: RootModule,
    change: OptionsChange,
    { verbose }: OpenOptions,
  ): Promise<INestApplicationContext> {
    const useFactory = (modules: ModulesContainer): OptionsChange => {
      this.#registryMigrations = registryMigrations(modules);
      return (options) => change((this.#configured = options));
    };
    const providers = [{ provide: TENANCY_OPTIONS_CHANGE, inject: [ModulesContainer], useFactory }, NoTimers];
    const context = await NestFactory.createApplicationContext(
      {
        module: CommandLineRoot,
        // First, so that its hook comes before those of the application's own global modules.
        imports: [{ module: Quiet, providers, exports: [TENANCY_OPTIONS_CHANGE] }, root],
      },
      { logger: new TellingLogger(this.terminal, verbose), abortOnError: false },
    );
    if (knowsTenancy(context)) return context;
    await context.close();
    throw new CommandLineError(NO_TENANCY);
  }
}

const NO_TENANCY =
  'The module does not import TenancyModule, neither itself nor by a module that it imports.';

function knowsTenancy(context: INestApplicationContext): boolean {
  try {
    return context.get(TENANCY_OPTIONS, { strict: false }) !== undefined;
  } catch {
    return false;
  }
}

@Module({})
class CommandLineRoot {}

/** TenancyModule looks for what it provides among the global modules. */
@Global()
@Module({})
class Quiet {}

/** What the application logs, on stderr: warnings and errors, all of it if asked. */
class TellingLogger implements LoggerService {
  constructor(
    private readonly terminal: Terminal,
    private readonly tellsAll = false,
  ) {}

  log(message: unknown, ...rest: unknown[]): void {
    if (this.tellsAll) this.#tell('log', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.#tell('warning', message, rest);
  }

  /** Nest tells of a failed start before it throws the error, which is told by whoever catches it. */
  error(message: unknown, ...rest: unknown[]): void {
    if (this.tellsAll || rest.at(-1) !== 'ExceptionHandler') this.#tell('error', message, rest);
  }

  #tell(level: string, message: unknown, rest: readonly unknown[]): void {
    const context = typeof rest.at(-1) === 'string' ? ` [${rest.at(-1) as string}]` : '';
    this.terminal.tell(`${level}:${context} ${message instanceof Error ? message.message : String(message)}`);
  }
}
