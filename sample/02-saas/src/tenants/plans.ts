import type { RateLimits } from 'nestjs-tenancy/throttling';
import type { Quotas } from 'nestjs-tenancy/usage';

/** The plan of tenants that pay for none. A tenant's plan is in its metadata: `{ "plan": "gold" }`. */
export const DEFAULT_PLAN = 'free';

const MINUTE_MS = 60_000;

export const RATE_LIMITS: Record<string, RateLimits> = {
  free: { minute: { limit: 60, windowMs: MINUTE_MS } },
  gold: { minute: { limit: 6_000, windowMs: MINUTE_MS } },
};

export const QUOTAS: Record<string, Quotas> = {
  free: { 'orders.created': { limit: 2, per: 'month', hard: true } },
  gold: {},
};
