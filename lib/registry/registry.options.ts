import type { Type } from '@nestjs/common';
import type { ClientConfig } from 'pg';
import type { LookupCacheOptions } from './cache/lookup-cache.options';
import type { TenantStore } from './store/tenant.store';

/** Token of the options below. */
export const REGISTRY_OPTIONS = Symbol('REGISTRY_OPTIONS');

/** Token of the `ModuleRef` that makes a store of the application's own: what it injects is imported there. */
export const STORE_MAKER = Symbol('STORE_MAKER');

export interface RegistryModuleOptions {
  /** The schema of our own tables. */
  readonly schema: string;
  /** A connection of the change feed's own, around the pooler if there is one. */
  readonly feedConnection: ClientConfig;
  /** Replaces the store over the registry. */
  readonly store?: TenantStore | Type<TenantStore>;
  readonly cache?: LookupCacheOptions;
}
