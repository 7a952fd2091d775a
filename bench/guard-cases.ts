import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import {
  type CanActivate,
  type DynamicModule,
  type ExecutionContext,
  type INestApplicationContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { fromHeader, type Tenant, TenancyModule, TenantContext } from '../lib/index';
import { RequestState, setRequestState } from '../lib/context/handler-call';
import { FeatureGuard } from '../lib/settings/feature.guard';
import {
  defineSettings,
  feature,
  RequireFeature,
  TenancySettingsModule,
  TenantSettings,
} from '../lib/settings/index';
import { CountedRequests } from '../lib/throttling/counted-requests';
import { MemoryRateLimits } from '../lib/throttling/index';
import { RateLimitsOfTenants } from '../lib/throttling/rate-limits-of-tenants';
import { CheckedThrottlingOptions } from '../lib/throttling/throttling.options';
import { TenantThrottlerGuard } from '../lib/throttling/tenant-throttler.guard';
import { TenancyUsageModule, TenantUsage } from '../lib/usage/index';
import { WrongAnswerError } from './bench';

/** One thing that stands between a request and its handler. */
export interface GuardCase {
  readonly name: string;
  readonly pass: () => Promise<void>;
}

export type OpenGuardCase = (app: INestApplicationContext, tenant: Tenant) => GuardCase;

const FAR_AWAY = 1e12;
const WINDOW_MS = 86_400_000;

/** What the cases need of an application. A module with a guard of its own goes here, and its case below. */
export class GuardsModule {
  static forDatabase(url: string): DynamicModule {
    return {
      module: GuardsModule,
      imports: [
        TenancyModule.forRoot({
          database: { url },
          entities: [],
          resolvers: [fromHeader('x-tenant-id')],
        }),
        TenancyUsageModule.forRoot({
          plans: { all: { reserved: { limit: FAR_AWAY, per: 'month', hard: true } } },
          defaultPlan: 'all',
        }),
        TenancySettingsModule.forRoot({ settings: defineSettings({ exports: feature({ default: true }) }) }),
      ],
    };
  }
}

class Routes {
  @RequireFeature('exports')
  handle(): void {}
}

/** A request as the guards of an application see it. */
function contextOf(app: INestApplicationContext, tenant: Tenant): ExecutionContext {
  const request = new IncomingMessage(new Socket());
  setRequestState(request, new RequestState({ tenant }, new ServerResponse(request), app.get(TenantContext)));
  const http = { getRequest: () => request, getResponse: () => ({ setHeader: () => undefined }) };
  return {
    getType: () => 'http',
    getClass: () => Routes,
    getHandler: () => Object.getOwnPropertyDescriptor(Routes.prototype, 'handle')?.value as () => void,
    switchToHttp: () => http,
  } as unknown as ExecutionContext;
}

function guardCase(
  app: INestApplicationContext,
  name: string,
  guard: CanActivate,
  tenant: Tenant,
): GuardCase {
  const context = contextOf(app, tenant);
  return {
    name,
    pass: async () => {
      if ((await guard.canActivate(context)) !== true) throw new WrongAnswerError(name, true, false);
    },
  };
}

/** What the others are compared with. */
export const bare: OpenGuardCase = (app, tenant) =>
  guardCase(
    app,
    'bare',
    { canActivate: (context) => Promise.resolve('headers' in context.switchToHttp().getRequest<object>()) },
    tenant,
  );

function throttling(name: string, limits: readonly string[]): OpenGuardCase {
  return (app, tenant) => {
    const rates = limits.map((limit) => [limit, { limit: FAR_AWAY, windowMs: WINDOW_MS }]);
    const storage = new MemoryRateLimits();
    const options: CheckedThrottlingOptions = {
      ...new CheckedThrottlingOptions(),
      plans: { all: Object.fromEntries(rates) as never },
      defaultPlan: 'all',
      storage,
    };
    const requests = new CountedRequests(options, storage);
    const guard = new TenantThrottlerGuard(
      storage,
      new Reflector(),
      new RateLimitsOfTenants(options),
      requests,
    );
    return guardCase(app, name, guard, tenant);
  };
}

export const GUARD_CASES: readonly OpenGuardCase[] = [
  (app, tenant) => {
    const context = app.get(TenantContext);
    const guard = new FeatureGuard(new Reflector(), app.get(TenantSettings), context);
    const { name, pass } = guardCase(app, 'feature', guard, tenant);
    return { name, pass: () => context.run(tenant, pass) };
  },
  throttling('throttling, 1 window', ['day']),
  throttling('throttling, 3 windows', ['minute', 'hour', 'day']),
  (app, tenant) => {
    const usage = app.get(TenantUsage);
    return {
      name: 'usage, counted',
      pass: () => {
        usage.count('counted', 1, tenant);
        return Promise.resolve();
      },
    };
  },
  (app, tenant) => {
    const usage = app.get(TenantUsage);
    return {
      name: 'usage, hard quota',
      pass: async () => void (await usage.reserve('reserved', 1, tenant)),
    };
  },
];
