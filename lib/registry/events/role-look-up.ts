import { within } from '../../common/within';

/** How long the application's own store is waited for in all: who reads gets what can be sealed without it. */
const WAIT_MS = 2_000;

/** The roles of tenants that are in a store of the application's, looked up for one sealing. */
export class RoleLookUp {
  readonly #roles = new Map<string, string | undefined>();
  /** Tenants whose role could not be told. */
  readonly failed = new Set<string>();
  /** Why not, of one of them. */
  error: unknown;
  #leftMs = WAIT_MS;

  constructor(private readonly find: (tenantId: string) => Promise<string | undefined>) {}

  /** Never rejects. */
  async ask(rows: readonly { readonly tenantId: string | null }[]): Promise<void> {
    const ids = new Set(rows.map(({ tenantId }) => tenantId!));
    const began = performance.now();
    await Promise.all([...ids].filter((id) => !this.#roles.has(id)).map((id) => this.#ask(id)));
    this.#leftMs -= performance.now() - began;
  }

  roleOf(tenantId: string): string | undefined {
    return this.#roles.get(tenantId);
  }

  async #ask(tenantId: string): Promise<void> {
    try {
      this.#roles.set(tenantId, await within(Math.max(0, this.#leftMs), this.find(tenantId)));
    } catch (error) {
      this.error = error;
      this.failed.add(tenantId);
    }
  }
}
