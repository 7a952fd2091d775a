import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { ExecutionContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SignJWT } from 'jose';
import { TenancyModule, type Tenant, TenantContext, TenantStore } from '../lib/index';
import { ApiKeys, fromApiKey, RequireScopes, TenancyAccessModule } from '../lib/access/index';
import { AccessGuard } from '../lib/access/access.guard';
import { ApiKeyAuthentication } from '../lib/access/api-key-authentication';
import { ApiKeyRows } from '../lib/access/api-key-rows';
import { makeKey } from '../lib/access/key-text';
import { MembersService, TenancyMembersModule } from '../lib/members/index';
import { MemberRows } from '../lib/members/member-rows';
import { fromJwtClaim } from '../lib/jwt/index';
import { RequestState, setRequestState } from '../lib/context/handler-call';
import { TenantChangeFeed } from '../lib/registry/changes/tenant-changes';
import { TenantResolution } from '../lib/resolution/tenant-resolution';
import type { CleanUp } from './clean-up';
import { makeRequest } from './resolve-requests';

class OrdersController {
  @RequireScopes('orders:read')
  list() {}
}

/** What Nest gives a guard of a request. */
export function contextOf(request: IncomingMessage): ExecutionContext {
  return {
    getType: () => 'http',
    getArgByIndex: () => request,
    switchToHttp: () => ({ getRequest: () => request }),
    getHandler: () => OrdersController.prototype.list,
    getClass: () => OrdersController,
  } as unknown as ExecutionContext;
}

/** An application with the access module, with that for members or without, and credentials of one tenant. */
export interface AccessBenchApp {
  readonly tenant: Tenant;
  readonly authentication: ApiKeyAuthentication;
  /** A request with a credential that is new each time. */
  newKeyRequest(): Promise<IncomingMessage>;
  tokenRequest(): Promise<IncomingMessage>;
  unknownKeyRequest(): IncomingMessage;
  /** From the request to the handler's door, as middleware and guard go; the id of the tenant that it was let in for. */
  admit(request: IncomingMessage): Promise<string | undefined>;
  /** Waits until all that was changed has been heard of: it makes what is remembered of the tenant forgotten. */
  quiet(): Promise<void>;
  /** Questions about keys and members that reached PostgreSQL. */
  questions(): number;
}

const DAY_MS = 86_400_000;

export async function openAccessApp(
  url: string,
  cleanUp: CleanUp,
  { withMembers = false } = {},
): Promise<AccessBenchApp> {
  const secret = randomBytes(32);
  const root = {
    module: class BenchModule {},
    imports: [
      TenancyModule.forRoot({
        database: { url },
        entities: [],
        resolvers: [fromApiKey(), fromJwtClaim({ claim: 'tenant', secret, cache: { ttlMs: DAY_MS } })],
      }),
      TenancyAccessModule.forRoot({ routes: false, cache: { ttlMs: DAY_MS } }),
      ...(withMembers ? [membersModule()] : []),
    ],
  };
  const app = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
  cleanUp.add(() => app.close());
  const tenant = await app.get(TenantStore).insert({
    id: '01890a5d-ac96-774b-bcce-b302099a8057',
    slug: 'acme',
    name: 'Acme',
    schemaName: 't_bench',
    status: 'active',
    domains: [],
    metadata: {},
    templateVersion: null,
    schemaVersion: null,
  });
  const rows = app.get(ApiKeyRows, { strict: false });
  let questions = 0;
  const findSecrets = rows.findSecrets.bind(rows);
  rows.findSecrets = (...asked) => ((questions += 1), findSecrets(...asked));
  if (withMembers) {
    const members = app.get(MemberRows, { strict: false });
    const findAll = members.findAll.bind(members);
    members.findAll = (...asked) => ((questions += 1), findAll(...asked));
  }
  const [resolution, guard] = [app.get(TenantResolution), app.get(AccessGuard, { strict: false })];
  const withKey = (key: string) => makeRequest('/orders?page=2', { 'x-api-key': key });
  let count = 0;
  const context = app.get(TenantContext);
  const response = new ServerResponse(makeRequest('/'));
  return {
    tenant,
    authentication: app.get(ApiKeyAuthentication),
    newKeyRequest: async () =>
      withKey((await app.get(ApiKeys).create(tenant.id, { name: 'bench', scopes: ['orders:*'] })).key),
    tokenRequest: async () => {
      const sub = `ann-${(count += 1)}`;
      if (withMembers) await app.get(MembersService).add(tenant, { subject: sub, roles: ['clerk'] });
      const token = await new SignJWT({ tenant: 'acme', sub, scope: 'orders:read' })
        .setProtectedHeader({ alg: 'HS256' })
        .setExpirationTime('1 day')
        .sign(secret);
      return makeRequest('/orders?page=2', { authorization: `Bearer ${token}` });
    },
    unknownKeyRequest: () => withKey(makeKey('sk', (count += 1).toString(16).padStart(32, '0')).text),
    admit: async (request) => {
      const frame = { tenant: await resolution.resolve(resolution.requestOf(request)) };
      setRequestState(request, new RequestState(frame, response, context));
      return (await guard.canActivate(contextOf(request))) ? frame.tenant?.id : undefined;
    },
    quiet: async () => {
      const feed = app.get(TenantChangeFeed);
      for (const now = performance.now(); feed.provenAt < now;) await nextTurn();
    },
    questions: () => questions,
  };
}

function membersModule() {
  return TenancyMembersModule.forRoot({
    routes: false,
    roles: { clerk: ['orders:read'] },
    cache: { ttlMs: DAY_MS },
  });
}
