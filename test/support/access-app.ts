import { Controller, Get, Post } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { SignJWT } from 'jose';
import {
  CurrentTenant,
  fromHeader,
  fromSubdomain,
  TenancyModule,
  type TenancyOptions,
  TenantFree,
  TenantOptional,
} from '../../lib';
import {
  type ApiKeyInput,
  ApiKeys,
  CurrentPrincipal,
  fromApiKey,
  Principal,
  Public,
  RequireScopes,
  type ShownApiKey,
  TenancyAccessModule,
  type TenancyAccessOptions,
} from '../../lib/access';
import { TenancyAdminModule } from '../../lib/admin';
import { fromJwtClaim } from '../../lib/jwt';
import type { TestDatabase } from './database';
import { notesOptions } from './notes';
import { type RawAnswer, rawRequest } from './raw-request';
import { MASTER_KEY } from './sample-app';
import { startTestApp, type TestApp } from './test-app';

export const SECRET = 'a secret that is only for tests, 0123456789';

/** How often a handler ran. */
export const handled = { count: 0 };

@Controller('orders')
class OrdersController {
  @Get()
  @RequireScopes('orders:read')
  list(@CurrentTenant('slug') slug: string) {
    handled.count += 1;
    return { slug };
  }

  @Post()
  @RequireScopes('orders:read', 'orders:write')
  create() {
    handled.count += 1;
    return {};
  }
}

@Controller()
class WhoController {
  @Get('who')
  who(@CurrentPrincipal() { type, subject, tenantId, scopes }: Principal) {
    handled.count += 1;
    return { type, subject, tenantId, scopes };
  }

  @Get('claims')
  claims(@CurrentPrincipal() principal: Principal) {
    return principal.claims();
  }

  @Public()
  @Get('public')
  public(@CurrentPrincipal() principal: Principal | undefined, @CurrentTenant('slug') slug: string) {
    return { slug, subject: principal?.subject ?? null };
  }

  @Public()
  @TenantFree()
  @Get('health')
  health() {
    return { status: 'ok' };
  }

  @TenantFree()
  @Get('free')
  free(@CurrentPrincipal() principal: Principal) {
    return { subject: principal.subject, tenantId: principal.tenantId ?? null };
  }

  @TenantOptional()
  @Get('optional')
  optional(@CurrentPrincipal() principal: Principal) {
    return { subject: principal.subject, tenantId: principal.tenantId ?? null };
  }
}

export interface AccessApp extends TestApp {
  /** `call('GET /orders', { 'x-api-key': key })`. */
  call(line: string, headers?: Record<string, string | string[]>, body?: unknown): Promise<RawAnswer>;
  admin(line: string, body?: unknown, headers?: Record<string, string>): Promise<RawAnswer>;
  makeKey(tenantId: string, input?: Partial<ApiKeyInput>): Promise<ShownApiKey>;
}

export interface AccessAppOptions {
  readonly tenancy?: Partial<TenancyOptions>;
  readonly access?: TenancyAccessOptions;
}

/** An application whose routes ask for keys and tokens, with the admin API and that of keys. */
export async function startAccessApp(
  database: TestDatabase,
  adapter: AbstractHttpAdapter,
  { tenancy, access }: AccessAppOptions = {},
): Promise<AccessApp> {
  const resolvers = [
    fromHeader('x-tenant-id'),
    fromSubdomain('example.com'),
    fromApiKey(),
    fromJwtClaim({ claim: 'tenants', several: true, secret: SECRET }),
  ];
  const app = await startTestApp(
    {
      imports: [
        // The guard asks for credentials before that of tenants, whatever the order here.
        TenancyModule.forRoot(notesOptions(database, { resolvers, ...tenancy })),
        TenancyAccessModule.forRoot(access),
        TenancyAdminModule.forRoot({ masterKey: MASTER_KEY, apiKeys: true }),
      ],
      controllers: [OrdersController, WhoController],
    },
    { adapter },
  );
  const call: AccessApp['call'] = (line, headers = {}, body) => {
    const [method, path] = line.split(' ');
    const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    return rawRequest(app.url, path, {
      method,
      headers: { ...type, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  };
  return {
    ...app,
    call,
    admin: (line, body, headers) => call(line, { 'x-master-key': MASTER_KEY, ...headers }, body),
    makeKey: (tenantId, input = {}) =>
      app.app.get(ApiKeys).create(tenantId, { name: 'test', scopes: ['orders:*'], ...input }),
  };
}

/** A token that is good for an hour, unless said otherwise. */
export function token(payload: Record<string, unknown>, secret = SECRET): Promise<string> {
  return new SignJWT({ sub: 'ann', exp: Math.floor(Date.now() / 1_000) + 3_600, ...payload })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(Buffer.from(secret));
}
