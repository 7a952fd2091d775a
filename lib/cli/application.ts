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

/** The type of a class, abstract or not. */
type Service<T> = abstract new (...args: never[]) => T;

interface OpenOptions {
  readonly module?: string;
  readonly verbose?: boolean;
}

/** A command does its own work and nothing in the background. It does not wait for a server that is down. */
const quiet: OptionsChange = (options) => ({
  ...options,
  database: { ...options.database, connectAttempts: 1 },
  sweeper: { ...options.sweeper, intervalMs: 0 },
  spares: { ...options.spares, count: 0 },
});

/** The purposes for which a command starts the application. */
const PURPOSES = {
  /** To change something: registry and template are migrated first, as at the application's own start. */
  change: quiet,
  /** To read only: nothing is migrated, and a template that is behind is not an error. */
  look: (options) => ({ ...leaveTemplate(options), registry: { ...options.registry, migrate: false } }),
  /** To migrate: the command does so itself, whatever the application would do at its start. */
  migrate: (options) => ({ ...leaveTemplate(options), registry: { ...options.registry, migrate: true } }),
  /** To make API keys: their tables are made as at the application's own start, and the template is not touched. */
  keys: (options) => leaveTemplate(options),
  /** To make spares: as many as the application's options say. */
  spares: (options) => ({ ...quiet(options), spares: options.spares }),
} satisfies Record<string, OptionsChange>;

export type Purpose = keyof typeof PURPOSES;

function leaveTemplate(options: CheckedTenancyOptions): CheckedTenancyOptions {
  return { ...quiet(options), leaveTemplate: true };
}

/** Thrown to end the start when only the options were needed. */
class OptionsKnown extends Error {
  constructor(readonly options: CheckedTenancyOptions) {
    super('The options are known.');
  }
}

/** The user's application, started without serving requests. */
@Injectable()
export class Application {
  #context: INestApplicationContext | undefined;
  #configured: CheckedTenancyOptions | undefined;
  #registryMigrations: readonly RegistryMigration[] = [];

  constructor(private readonly terminal: Terminal) {}

  /**
   * One of the application's services, which the module `of` provides.
   *
   * @throws CommandLineError when the application cannot be loaded or does not import that module
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

  /** The application's options, once it has been started. */
  get configured(): CheckedTenancyOptions {
    return this.#configured!;
  }

  /**
   * The migrations that make the registry's tables, with those of the application's modules, once it has been started.
   */
  get registryMigrations(): readonly RegistryMigration[] {
    return this.#registryMigrations;
  }

  /**
   * The application's checked options. Nothing is connected to.
   *
   * @throws InvalidTenancyOptionsError when the options are not valid
   * @throws CommandLineError when the application cannot be loaded
   */
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
        // Imported first, so that its hook runs before those of the application's own global modules.
        imports: [{ module: Quiet, providers, exports: [TENANCY_OPTIONS_CHANGE] }, root],
      },
      { logger: new TellingLogger(this.terminal, verbose), abortOnError: false },
    );
    if (knowsTenancy(context)) return context;
    await context.close();
    throw new CommandLineError(NO_TENANCY);
  }
}

const NO_TENANCY = 'The module does not import TenancyModule, neither directly nor through another module.';

function knowsTenancy(context: INestApplicationContext): boolean {
  try {
    return context.get(TENANCY_OPTIONS, { strict: false }) !== undefined;
  } catch {
    return false;
  }
}

@Module({})
class CommandLineRoot {}

/** Global, because TenancyModule looks for the change of options among the global modules. */
@Global()
@Module({})
class Quiet {}

/** Writes what the application logs to stderr: warnings and errors, with --verbose everything. */
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

  /** Nest logs the error of a failed start and throws it. The caller reports it, so it is not logged here. */
  error(message: unknown, ...rest: unknown[]): void {
    if (this.tellsAll || rest.at(-1) !== 'ExceptionHandler') this.#tell('error', message, rest);
  }

  #tell(level: string, message: unknown, rest: readonly unknown[]): void {
    const context = typeof rest.at(-1) === 'string' ? ` [${rest.at(-1) as string}]` : '';
    this.terminal.tell(`${level}:${context} ${message instanceof Error ? message.message : String(message)}`);
  }
}
