import {
  type ConfigurableModuleAsyncOptions,
  ConfigurableModuleBuilder,
  type FactoryProvider,
  Global,
  Module,
} from '@nestjs/common';
import { CONNECTION_OPTIONS, type ConnectionOptions } from '../connection/connection.options';
import { directConnection } from '../connection/typeorm/data-sources';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
import { REGISTRY_OPTIONS, type RegistryModuleOptions } from '../registry/registry.options';
import { RESOLUTION_OPTIONS, type ResolutionOptions } from '../resolution/resolution.options';
import { resolveOptions } from './resolve-options';
import {
  type OptionsChange,
  type ResolvedTenancyOptions,
  TENANCY_OPTIONS,
  TENANCY_OPTIONS_CHANGE,
  type TenancyOptions,
} from './tenancy.options';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<TenancyOptions>()
  .setClassMethodName('forRoot')
  .build();

const checkedOptions: FactoryProvider<ResolvedTenancyOptions> = {
  provide: TENANCY_OPTIONS,
  inject: [MODULE_OPTIONS_TOKEN, { token: TENANCY_OPTIONS_CHANGE, optional: true }],
  useFactory: (options: TenancyOptions, change?: OptionsChange) => {
    const resolved = resolveOptions(options);
    return change ? change(resolved) : resolved;
  },
};

/** Gives a folder what it needs of the options, and nothing else. */
function part<Options>(
  token: symbol,
  of: (options: ResolvedTenancyOptions) => Options,
): FactoryProvider<Options> {
  return { provide: token, inject: [TENANCY_OPTIONS], useFactory: of };
}

const registry = part(REGISTRY_OPTIONS, (options): RegistryModuleOptions => ({
  schema: options.registry.schema,
  feedConnection: directConnection(options.database),
  store: options.store,
  cache: options.cache,
}));

const connection = part(CONNECTION_OPTIONS, (options): ConnectionOptions => ({
  database: options.database,
  entities: options.entities,
  migrations: options.migrations,
  subscribers: options.subscribers,
  sharedSchemas: options.sharedSchemas,
  roles: options.roles,
  typeorm: options.typeorm,
  registry: options.registry,
}));

const resolution = part(RESOLUTION_OPTIONS, (options): ResolutionOptions => ({
  resolvers: options.resolvers,
  fallbackTenant: options.fallbackTenant,
  trustedProxies: options.trustedProxies,
  vary: options.vary,
}));

const provisioning = part(PROVISIONING_OPTIONS, (options): ProvisioningOptions => ({
  templateSchema: options.templateSchema,
  templateData: options.templateData,
  sharedSchemas: options.sharedSchemas,
  sharedMigrations: options.sharedMigrations,
  roles: options.roles,
  onProvision: options.hooks.onProvision,
  onTransition: options.hooks.onTransition,
  spares: options.spares,
  sweeper: options.sweeper,
  migrateTemplate: options.migrateTemplate,
  leaveTemplate: options.leaveTemplate,
  registrySchema: options.registry.schema,
  reservedSlugs: options.reservedSlugs,
  wildcardDomains: options.wildcardDomains,
  domainProof: options.domainProof,
}));

/** Checks the options once, for all modules that need a part of them. */
@Global()
@Module({
  providers: [checkedOptions, registry, connection, resolution, provisioning],
  exports: [TENANCY_OPTIONS, REGISTRY_OPTIONS, CONNECTION_OPTIONS, RESOLUTION_OPTIONS, PROVISIONING_OPTIONS],
})
export class TenancyOptionsModule extends ConfigurableModuleClass {}

export type TenancyAsyncOptions = ConfigurableModuleAsyncOptions<TenancyOptions>;
