import {
  type ConfigurableModuleAsyncOptions,
  ConfigurableModuleBuilder,
  type FactoryProvider,
  Global,
  Module,
  type Type,
} from '@nestjs/common';
import { optionNames } from '../common/options/check-options';
import {
  CheckedConnectionOptions,
  CONNECTION_OPTIONS,
  type ConnectionOptions,
} from '../connection/connection.options';
import { directConnection } from '../connection/typeorm/own-connections';
import { CheckedFurtherOptions } from '../connection/typeorm/typeorm.options';
import {
  CheckedProvisioningOptions,
  PROVISIONING_OPTIONS,
  type ProvisioningOptions,
} from '../provisioning/provisioning.options';
import {
  CheckedRegistryOptions,
  REGISTRY_OPTIONS,
  type RegistryModuleOptions,
} from '../registry/registry.options';
import {
  CheckedResolutionOptions,
  RESOLUTION_OPTIONS,
  type ResolutionOptions,
} from '../resolution/resolution.options';
import { resolveOptions } from './resolve-options';
import {
  type OptionsChange,
  type CheckedTenancyOptions,
  TENANCY_OPTIONS,
  TENANCY_OPTIONS_CHANGE,
  type TenancyOptions,
} from './tenancy.options';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<TenancyOptions>()
  .setClassMethodName('forRoot')
  .build();

const checkedOptions: FactoryProvider<CheckedTenancyOptions> = {
  provide: TENANCY_OPTIONS,
  inject: [MODULE_OPTIONS_TOKEN, { token: TENANCY_OPTIONS_CHANGE, optional: true }],
  useFactory: (options: TenancyOptions, change?: OptionsChange) => {
    const resolved = resolveOptions(options);
    return change ? change(resolved) : resolved;
  },
};

/** A provider that gives a folder only the options that it needs. */
function part<Options>(
  token: symbol,
  of: (options: CheckedTenancyOptions) => Options,
): FactoryProvider<Options> {
  return { provide: token, inject: [TENANCY_OPTIONS], useFactory: of };
}

/** The options that a folder declares. */
function declaredBy<Options extends object>(declared: Type<Options>, options: Options): Options {
  return Object.fromEntries(optionNames(declared).map((name) => [name, options[name]])) as Options;
}

const registry = part(REGISTRY_OPTIONS, (options): RegistryModuleOptions => ({
  ...declaredBy(CheckedRegistryOptions, options),
  schema: options.registry.schema,
  feedConnection: directConnection(options.database),
}));

const connection = part(CONNECTION_OPTIONS, (options): ConnectionOptions => ({
  ...declaredBy(CheckedConnectionOptions, options),
  ...declaredBy(CheckedFurtherOptions, options),
  registry: options.registry,
}));

const resolution = part(RESOLUTION_OPTIONS, (options): ResolutionOptions =>
  declaredBy(CheckedResolutionOptions, options),
);

const provisioning = part(PROVISIONING_OPTIONS, (options): ProvisioningOptions => ({
  ...declaredBy(CheckedProvisioningOptions, options),
  ...options.hooks,
  leaveTemplate: options.leaveTemplate,
  registrySchema: options.registry.schema,
  roles: options.roles,
  sharedSchemas: options.sharedSchemas,
}));

/** Checks the options once, for all modules that need a part of them. */
@Global()
@Module({
  providers: [checkedOptions, registry, connection, resolution, provisioning],
  exports: [TENANCY_OPTIONS, REGISTRY_OPTIONS, CONNECTION_OPTIONS, RESOLUTION_OPTIONS, PROVISIONING_OPTIONS],
})
export class TenancyOptionsModule extends ConfigurableModuleClass {}

export type TenancyAsyncOptions = ConfigurableModuleAsyncOptions<TenancyOptions>;
