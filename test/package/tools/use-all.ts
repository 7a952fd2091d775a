import 'reflect-metadata';
import { createHmac } from 'node:crypto';
import * as tenancy from 'nestjs-tenancy';
import * as access from 'nestjs-tenancy/access';
import * as admin from 'nestjs-tenancy/admin';
import * as cache from 'nestjs-tenancy/cache';
import * as files from 'nestjs-tenancy/files';
import { fromJwtClaim } from 'nestjs-tenancy/jwt';
import * as observability from 'nestjs-tenancy/observability';
import * as redis from 'nestjs-tenancy/redis';
import * as settings from 'nestjs-tenancy/settings';
import * as testing from 'nestjs-tenancy/testing';
import * as throttling from 'nestjs-tenancy/throttling';
import * as transports from 'nestjs-tenancy/transports';
import * as usage from 'nestjs-tenancy/usage';

const SECRET = 'a secret of thirty-two characters';

function token(payload: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg: 'HS256' })}.${encode(payload)}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

/** Every entry point, and the one package that is an ES module only. What it resolves with is `acme`. */
export async function useAll(): Promise<unknown> {
  const entries = [
    tenancy,
    access,
    admin,
    cache,
    files,
    observability,
    redis,
    settings,
    testing,
    throttling,
    transports,
    usage,
  ];
  for (const entry of entries)
    if (Object.keys(entry).length === 0) throw new Error('an entry point is empty');
  const jwt = token({ tenant: 'acme', exp: Math.ceil(Date.now() / 1000) + 60 });
  const resolve = fromJwtClaim({ claim: 'tenant', secret: SECRET, audience: false });
  const request = {
    header: () => `Bearer ${jwt}`,
    host: '',
    url: '/',
    raw: {},
  } as unknown as tenancy.TenantRequest;
  const claim = await resolve(request);
  return claim?.value;
}
