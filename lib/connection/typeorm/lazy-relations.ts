import type { DataSource } from 'typeorm';
import { TenantRequiredError } from '../../context/context.errors';
import { frameKey, type TenantContext } from '../../context/tenant-context';
import { TenantContextMismatchError } from '../connection.errors';

/**
 * Keeps lazy relations with the tenant that their entity was loaded for. TypeORM loads one when its property is first
 * read, for whoever reads it: by a key that every tenant has, so another tenant's code would be given its own rows.
 *
 * The refusal is thrown where the property is read: the entity would keep a rejected promise for good.
 */
export function guardLazyRelations({ relationLoader }: DataSource, context: TenantContext): void {
  const loadedFor = new WeakMap<object, string>();
  const { enableLazyLoad, load } = relationLoader;
  relationLoader.enableLazyLoad = (relation, entity, queryRunner) => {
    const key = frameKey(context.frame());
    if (key !== undefined) loadedFor.set(entity, key);
    enableLazyLoad.call(relationLoader, relation, entity, queryRunner);
  };
  relationLoader.load = (relation, entities, ...rest) => {
    const caller = frameKey(context.frame());
    if (caller === undefined) throw new TenantRequiredError();
    for (const entity of [entities].flat()) {
      const owner = loadedFor.get(entity);
      if (owner !== undefined && owner !== caller) throw new TenantContextMismatchError(owner, caller);
    }
    return HeardPromise.resolve(load.call(relationLoader, relation, entities, ...rest));
  };
}

/**
 * Whoever awaits it hears of its failure; nobody else must. TypeORM hangs a promise of its own on that of a lazy
 * relation and listens to successes only, so Node would end the process over any load that fails.
 */
class HeardPromise<T> extends Promise<T> {
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const next = super.then(onFulfilled, onRejected);
    void super.then.call(next, undefined, () => undefined);
    return next;
  }
}
