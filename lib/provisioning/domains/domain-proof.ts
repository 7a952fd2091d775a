import type { Tenant } from '../../registry/tenant';
import { DomainNotProvenError } from '../provisioning.errors';

/** Tells whether a tenant owns a domain. Called once, before the domain is given to the tenant. */
export interface DomainProof {
  /**
   * Fulfils when the tenant has proven that `domain` is its own, as it is kept: lower case, punycode, `*.acme.com` for
   * a wildcard.
   *
   * @throws DomainNotProvenError when the tenant has not proven it
   * @throws TenancyUnavailableError when that cannot be checked now
   */
  prove(domain: string, tenant: Pick<Tenant, 'id' | 'slug'>): Promise<void>;
}

/**
 * Resolves when a new tenant has proven all its domains, or needs no proof. An id that was made just now stands in no DNS
 * record, so for such an id it rejects without asking DNS.
 *
 * @throws DomainNotProvenError, and what the proof throws
 */
export async function proveDomains(
  proof: DomainProof | undefined,
  tenant: Pick<Tenant, 'id' | 'slug' | 'domains'>,
  { isIdChosen }: { readonly isIdChosen: boolean },
): Promise<void> {
  if (!proof || tenant.domains.length === 0) return;
  const refusal = (domain: string, cause?: unknown) => {
    const remedy = 'create the tenant without it, then add it, which tells how to prove it';
    return new DomainNotProvenError(domain, tenant.slug, remedy, { cause });
  };
  if (!isIdChosen) throw refusal(tenant.domains[0]);
  const prove = async (domain: string) => {
    try {
      await proof.prove(domain, tenant);
    } catch (error) {
      // The admin API may have made the id for this attempt alone, so a record with it would prove nothing later.
      throw error instanceof DomainNotProvenError ? refusal(domain, error) : error;
    }
  };
  await Promise.all(tenant.domains.map(prove));
}
