import { Controller, Get, Post } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { CurrentTenant, fromHeader, TenancyModule, TenantFree } from '../../lib';
import {
  CurrentPrincipal,
  fromApiKey,
  Principal,
  type PrincipalMember,
  Public,
  RequireScopes,
  TenancyAccessModule,
} from '../../lib/access';
import { TenancyAdminModule } from '../../lib/admin';
import { fromJwtClaim } from '../../lib/jwt';
import { CurrentMember, TenancyMembersModule, type TenancyMembersOptions } from '../../lib/members';
import type { TestDatabase } from './database';
import { notesOptions } from './notes';
import { type RawAnswer, rawRequest } from './raw-request';
import { MASTER_KEY } from './sample-app';
import { startTestApp, type TestApp } from './test-app';
import { AUDIENCE } from './token-issuer';

@Controller()
class OrdersController {
  @Get('orders')
  @RequireScopes('orders:read')
  list(@CurrentTenant('slug') slug: string) {
    return { slug };
  }

  @Post('orders')
  @RequireScopes('orders:write')
  create() {
    return {};
  }

  @Get('who')
  who(@CurrentPrincipal() { scopes, tenantId, type }: Principal, @CurrentMember() member?: PrincipalMember) {
    return { type, scopes, tenantId, member: member && { email: member.email, roles: member.roles } };
  }

  @Public()
  @Get('public')
  public(@CurrentMember() member?: PrincipalMember) {
    return { member: member?.email ?? null };
  }

  @TenantFree()
  @Get('free')
  free(@CurrentPrincipal() { subject, tenantId, member }: Principal) {
    return { subject, tenantId: tenantId ?? null, member: member ?? null };
  }
}

export interface MembersApp extends TestApp {
  /** `call('GET /orders', { 'x-tenant-id': 'acme' })`. */
  call(line: string, headers?: Record<string, string>, body?: unknown): Promise<RawAnswer>;
}

/** An application whose tenants have members, who come with tokens of these issuers. */
export async function startMembersApp(
  database: Pick<TestDatabase, 'url'>,
  adapter: AbstractHttpAdapter,
  issuers: readonly { readonly url: string; readonly jwksUri: string }[],
  members: TenancyMembersOptions = {},
): Promise<MembersApp> {
  const resolvers = [
    fromHeader('x-tenant-id'),
    fromApiKey(),
    ...issuers.map(({ url, jwksUri }, index) =>
      fromJwtClaim({
        claim: 'tenants',
        several: true,
        issuer: url,
        audience: AUDIENCE,
        jwksUri,
        ...(index === 0 ? {} : { header: `x-token-${index}`, scheme: '' }),
      }),
    ),
  ];
  const app = await startTestApp(
    {
      imports: [
        TenancyModule.forRoot(notesOptions(database as TestDatabase, { resolvers })),
        // Before the one that it needs: the order does not matter.
        TenancyMembersModule.forRoot({
          roles: { admin: ['orders:*'], clerk: ['orders:read'] },
          plans: { free: { roles: ['member'] }, pro: {} },
          defaultPlan: 'pro',
          ...members,
        }),
        TenancyAccessModule.forRoot(),
        TenancyAdminModule.forRoot({ masterKey: MASTER_KEY, apiKeys: true, members: true }),
      ],
      controllers: [OrdersController],
    },
    { adapter },
  );
  return {
    ...app,
    call: (line, headers = {}, body) => {
      const [method, path] = line.split(' ');
      const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
      return rawRequest(app.url, path, {
        method,
        headers: { ...type, ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    },
  };
}
