import type { INestApplicationContext } from '@nestjs/common';

/**
 * An adapter, as the check uses it. Each function works for the tenant of the moment. An adapter that keeps state has
 * `put` and `get`, one that runs work has `enter`.
 */
export interface TenantAdapter {
  /** The application that the adapter is a part of, initialised, so that its hooks run. */
  readonly app: INestApplicationContext;
  /** Keeps a value. It may refuse a key that it does not take. */
  readonly put?: (key: string, value: string) => unknown;
  /** The value that is kept; `undefined` when there is none. */
  readonly get?: (key: string) => Promise<string | undefined> | string | undefined;
  /** All keys of the tenant. Leave it out where nothing can list them. */
  readonly list?: () => Promise<readonly string[]> | readonly string[];
  /** Removes all that the tenant has. Leave it out where nothing can. */
  readonly clear?: () => unknown;
  /** Hands work to the adapter, and resolves when the adapter has run it. Rejects when it does not run it. */
  readonly enter?: (work: () => Promise<void>) => unknown;
  /** The work may run long after it was handed over: not for a tenant that is gone by then. Default false. */
  readonly isDeferred?: boolean;
}

/** A promise that the adapter does not keep. */
export interface AdapterFinding {
  /** Which check it is of. */
  readonly check: string;
  readonly finding: string;
}
