import type DataLoader from 'dataloader';
import { explainAbsent } from '../common/absent-package';
import { type ContextFrame, type TenantContext, workOf } from '../context/tenant-context';

/** What a loader offers, as of the package `dataloader`. */
export type TenantLoader<Key, Value> = Pick<
  DataLoader<Key, Value>,
  'load' | 'loadMany' | 'prime' | 'clear' | 'clearAll'
>;

/** All options of `dataloader` but `cacheMap`: one map for all tenants would be what this is against. */
export type TenantLoaderOptions<Key, Value> = Omit<DataLoader.Options<Key, Value>, 'cacheMap'>;

/**
 * A DataLoader for each tenant and each request, behind one name that a singleton may keep: `batch` runs for one tenant,
 * with keys of that tenant alone, and what it has read is remembered until the request ends. Over a connection of
 * GraphQL, which outlives what is asked over it, keys are gathered, but nothing is remembered. Code in a transaction has
 * one of its own, which sees what the transaction has written; `clear` and `clearAll` there are for the request, too.
 *
 * The functions of what it gives throw `TenantRequiredError` where there is no tenant.
 *
 * @throws TypeError for a `cacheMap`
 * @throws PackageMissingError when `dataloader` is not installed
 */
export function tenantLoader<Key, Value>(
  context: TenantContext,
  batch: DataLoader.BatchLoadFn<Key, Value>,
  options: TenantLoaderOptions<Key, Value> = {},
): TenantLoader<Key, Value> {
  if ('cacheMap' in options)
    throw new TypeError('tenantLoader() takes no cacheMap: all tenants and requests would share that map.');
  const Loader = loadDataLoader();
  // By transaction or piece of work, and in it by tenant: code of one request may work for another tenant inside of it.
  const known = new WeakMap<object, Map<string, DataLoader<Key, Value>>>();

  const loaderOf = (scope: object, isLasting: boolean): DataLoader<Key, Value> => {
    const { id } = context.tenant();
    let byTenant = known.get(scope);
    if (!byTenant) known.set(scope, (byTenant = new Map<string, DataLoader<Key, Value>>()));
    let loader = byTenant.get(id);
    if (!loader)
      byTenant.set(id, (loader = new Loader(batch, { ...options, ...(isLasting && { cache: false }) })));
    return loader;
  };
  const ofWork = () => {
    const work: ContextFrame = workOf(context.frame()!);
    return loaderOf(work, work.lasting === true);
  };
  // What others of the request ask for is read outside of it, and what it reads may be rolled back.
  const current = () => {
    const transaction = context.tenant() && context.frame()?.transaction;
    return transaction?.isOpen ? loaderOf(transaction, false) : ofWork();
  };

  const loader: TenantLoader<Key, Value> = {
    load: (key) => current().load(key),
    loadMany: (keys) => current().loadMany(keys),
    prime: (key, value) => (current().prime(key, value), loader as never),
    clear: (key) => (current().clear(key), ofWork().clear(key), loader as never),
    clearAll: () => (current().clearAll(), ofWork().clearAll(), loader as never),
  };
  return loader;
}

function loadDataLoader(): typeof DataLoader {
  try {
    return require('dataloader') as typeof DataLoader;
  } catch (error) {
    throw explainAbsent(error, 'dataloader', 'tenantLoader()');
  }
}
