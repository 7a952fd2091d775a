import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { SignJWT } from 'jose';
import {
  fromCookie,
  fromDomain,
  fromHeader,
  fromPath,
  fromQuery,
  fromSubdomain,
  type Tenant,
  type TenantResolver,
} from '../lib/index';
import { fromJwtClaim } from '../lib/jwt/index';

/** A resolver, and requests that it reads tenants from. */
export interface ResolverCase {
  readonly name: string;
  readonly resolver: TenantResolver;
  requestOf(tenant: Tenant): IncomingMessage | Promise<IncomingMessage>;
}

export const TENANT_HEADER = 'x-tenant-id';

const ISSUER = 'https://id.example.com';
const AUDIENCE = 'orders';

const PLAIN_CASES: readonly ResolverCase[] = [
  {
    name: 'header',
    resolver: fromHeader(TENANT_HEADER),
    requestOf: ({ slug }) => makeRequest('/orders?page=2', { [TENANT_HEADER]: slug }),
  },
  {
    name: 'subdomain',
    resolver: fromSubdomain('example.com'),
    requestOf: ({ slug }) => makeRequest('/orders?page=2', { host: `${slug}.example.com` }),
  },
  {
    name: 'domain',
    resolver: fromDomain(),
    requestOf: ({ domains: [host] }) => makeRequest('/orders?page=2', { host }),
  },
  {
    name: 'path',
    resolver: fromPath(),
    requestOf: ({ slug }) => makeRequest(`/t/${slug}/orders?page=2`),
  },
  {
    name: 'query',
    resolver: fromQuery('tenant'),
    requestOf: ({ slug }) => makeRequest(`/orders?page=2&tenant=${slug}`),
  },
  {
    name: 'cookie',
    resolver: fromCookie('tenant'),
    requestOf: ({ slug }) =>
      makeRequest('/orders?page=2', {
        cookie: `theme=dark; session=6f1ed002ab5595859014ebf0951522d9; tenant=${slug}`,
      }),
  },
];

/** Each resolver of the library. Tokens are remembered, as by default, or verified for each request. */
export function resolverCases(): ResolverCase[] {
  const secret = randomBytes(32);
  const { publicKey: key, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const withHs256 = tokensOf('HS256', secret);
  const withRs256 = tokensOf('RS256', privateKey);
  const claim = { claim: 'tenant', issuer: ISSUER, audience: AUDIENCE };
  const always = { maxEntries: 10_000, ttlMs: 86_400_000 };
  const never = { ttlMs: 0 };
  return [
    ...PLAIN_CASES,
    { name: 'jwt', resolver: fromJwtClaim({ ...claim, key, cache: always }), requestOf: withRs256 },
    {
      name: 'jwt RS256 verified',
      resolver: fromJwtClaim({ ...claim, key, cache: never }),
      requestOf: withRs256,
    },
    {
      name: 'jwt HS256 verified',
      resolver: fromJwtClaim({ ...claim, secret, cache: never }),
      requestOf: withHs256,
    },
  ];
}

/** Requests that carry a token for their tenant, which was signed once. */
function tokensOf(alg: string, key: Uint8Array | KeyObject): ResolverCase['requestOf'] {
  const requests = new Map<Tenant, Promise<IncomingMessage>>();
  const sign = async ({ slug }: Tenant) => {
    const token = await new SignJWT({ tenant: slug, sub: 'someone', scope: 'orders:read orders:write' })
      .setProtectedHeader({ alg, typ: 'JWT' })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setIssuedAt()
      .setExpirationTime('1 day')
      .sign(key);
    return makeRequest('/orders?page=2', { authorization: `Bearer ${token}` });
  };
  return (tenant) => {
    const request = requests.get(tenant) ?? sign(tenant);
    requests.set(tenant, request);
    return request;
  };
}

/** No bytes go through it. */
const SOCKET = new Socket();

/** A request as Node makes it, with what a browser sends besides. */
export function makeRequest(url: string, extra: Record<string, string> = {}): IncomingMessage {
  const headers: Record<string, string> = {
    host: 'api.example.com',
    'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    accept: 'application/json',
    'accept-language': 'en',
    'accept-encoding': 'gzip, deflate, br',
    connection: 'keep-alive',
    ...extra,
  };
  return Object.assign(new IncomingMessage(SOCKET), {
    method: 'GET',
    url,
    headers,
    rawHeaders: Object.entries(headers).flat(),
  });
}
