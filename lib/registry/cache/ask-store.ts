import type { Tenant, TenantClaim } from '../tenant';
import { TenantStore } from '../store/tenant.store';

/** What a store says to several claims, each in its place; one claim alone it is asked the short way. */
export async function askStore(
  store: TenantStore,
  claims: readonly TenantClaim[],
): Promise<readonly (Tenant | undefined)[]> {
  if (claims.length === 1) return [await store.find(claims[0])];
  // A store that is a plain object, as in many a test, has only what it was given.
  const findMany = store.findMany ?? TenantStore.prototype.findMany;
  const answers = await findMany.call(store, claims);
  if (answers.length === claims.length) return answers;
  throw new Error(`TenantStore.findMany() gave ${answers.length} answers to ${claims.length} claims.`);
}
