export const ADAPTERS = ['express', 'fastify'] as const;
export type Adapter = (typeof ADAPTERS)[number];

/**
 * `plain` knows no tenant: its handler reads the header. `als` is the same in a process that has entered an
 * AsyncLocalStorage once: from then on Node 20 runs a hook for every promise. `by-hand` is what one would write
 * without a library: a Map of tenants, a context, a guard that refuses.
 */
export const HTTP_VARIANTS = ['plain', 'als', 'by-hand', 'ours', 'cls', 'request-scoped', 'durable'] as const;
export type HttpVariant = (typeof HTTP_VARIANTS)[number];

export const TENANT_HEADER = 'x-tenant-id';

/** Answers `{ tenant: slug }`. */
export const WHOAMI_PATH = '/whoami';

const TENANTS = 20;

export function tenantSlugs(): string[] {
  return Array.from({ length: TENANTS }, (_, index) => `tenant-${index}`);
}

/** What the server's process tells: its port once, then its CPU time whenever it is asked. */
export type HttpServerMessage = { readonly port: number } | { readonly cpuMicros: number };
