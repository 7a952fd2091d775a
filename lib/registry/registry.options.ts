import type { Type } from '@nestjs/common';
import type { ClientConfig } from 'pg';
import { flag, group, isAccepted, SCHEMA_RULE, text, withMethod } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';
import { CheckedLookupCacheOptions } from './cache/lookup-cache.options';
import { checkRegistrySchema, DEFAULT_REGISTRY_SCHEMA } from './registry-schema';
import type { TenantStore } from './store/tenant.store';

/** Token of the options below. */
export const REGISTRY_OPTIONS = Symbol('REGISTRY_OPTIONS');

/** Token of the `ModuleRef` that makes the application's own store, in the module whose imports the store injects. */
export const STORE_MAKER = Symbol('STORE_MAKER');

/** Where our own tables are. */
export class CheckedRegistryPlace {
  /** The schema of our own tables: 1 to 63 of a-z, 0-9 and _. Default `tenancy`. */
  @Option(
    text(`it ${SCHEMA_RULE}, of a-z, 0-9 and _`, (name) => isAccepted(() => checkRegistrySchema(name))),
    { variable: 'TENANCY_REGISTRY_SCHEMA' },
  )
  readonly schema: string = DEFAULT_REGISTRY_SCHEMA;

  /** Create and migrate it at start. Default true; with false, a registry that is behind fails the start. */
  @Option(flag(), { variable: 'TENANCY_REGISTRY_MIGRATE' })
  readonly migrate: boolean = true;
}

/** Which tenants there are. */
export class CheckedRegistryOptions {
  /** Our own tables. */
  @Option(group(CheckedRegistryPlace))
  readonly registry: CheckedRegistryPlace = new CheckedRegistryPlace();

  /** Replaces the store over the registry: an instance, or a class that Nest instantiates. Default none. */
  @Option(withMethod('find', 'give a TenantStore, or a class that is one', true))
  readonly store?: TenantStore | Type<TenantStore>;

  /** How look-ups of tenants are remembered. @see docs/resolving.md#what-is-remembered */
  @Option(group(CheckedLookupCacheOptions))
  readonly cache: CheckedLookupCacheOptions = new CheckedLookupCacheOptions();
}

export type GivenRegistryOptions = Given<CheckedRegistryOptions, 'registry' | 'cache'>;

/** What the registry needs of the options. */
export interface RegistryModuleOptions extends Omit<GivenRegistryOptions, 'registry'> {
  /** The schema of our own tables. */
  readonly schema: string;
  /** A connection for the change feed alone, around the pooler if there is one. */
  readonly feedConnection: ClientConfig;
}
