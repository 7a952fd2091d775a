import { StartError } from '../common/start.errors';
import { TenancyError } from '../common/tenancy.errors';

/** Redis has no registry under the prefix, or another one than before. */
export class RedisRegistryMissingError extends StartError {
  readonly code = 'REDIS_REGISTRY_MISSING';

  constructor(keyPrefix: string) {
    super(
      `Redis has no registry under ${keyPrefix}. In a new installation make one, once: await store.createRegistry(). If there was ` +
        'one, Redis has lost it: bring back its data from a backup, and make no new one, because that would know none of the ' +
        'tenants whose schemas are there.',
    );
  }
}

/** The registry in Redis was written by a version that this one does not understand. */
export class RedisRegistryLayoutError extends StartError {
  readonly code = 'REDIS_REGISTRY_LAYOUT';

  constructor(keyPrefix: string, layout: unknown) {
    super(
      `The registry in Redis under ${keyPrefix} has the layout ${JSON.stringify(layout)}, which this version does not know. Start ` +
        'the version that wrote it, or a newer one.',
    );
  }
}

/** What Redis keeps of the registry is not what was written. Nothing is taken for absent, and nothing was changed. */
export class RedisRegistryDamagedError extends TenancyError {
  readonly code = 'REDIS_REGISTRY_DAMAGED';

  constructor(what: string, options?: { cause?: unknown }) {
    super(
      `The registry in Redis is damaged: ${what}. Bring back its data from a backup. No other program may write its keys, and ` +
        'maxmemory-policy must not evict them.',
      options,
    );
  }
}
