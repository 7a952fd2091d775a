import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from 'jose';

export interface SigningKey {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
  readonly kid: string;
}

export const AUDIENCE = 'https://shop.example';

/** How the issuer answers. `hang` takes the question and says nothing. */
export type IssuerMode = 'up' | 'html' | 'error' | 'redirect' | 'hang' | 'nonsense' | 'empty';

export async function signingKey(kid: string, alg = 'RS256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, publicKey, kid, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** Makes tokens, and publishes its keys over real HTTP, as an OpenID provider does. */
export class TokenIssuer {
  mode: IssuerMode = 'up';
  published: JWK[] = [];
  /** Paths it was asked for. */
  readonly asked: string[] = [];
  /** What its discovery document says of it, where that is not the truth. */
  claimedUrl?: string;
  readonly #server: Server = createServer((request, response) => this.#answer(request.url ?? '', response));

  static async start(): Promise<TokenIssuer> {
    const issuer = new TokenIssuer();
    await issuer.listen();
    return issuer;
  }

  async listen(port = 0): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }
  get jwksUri(): string {
    return `${this.url}/keys`;
  }

  publish(...keys: SigningKey[]): void {
    this.published = keys.map(({ jwk }) => jwk);
  }

  /** A token of this issuer for our audience that is good for an hour, unless said otherwise. */
  token(
    key: SigningKey,
    payload: JWTPayload = {},
    header: Partial<JWTHeaderParameters> = {},
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    return new SignJWT({ iss: this.url, aud: AUDIENCE, exp: now + 3_600, ...payload })
      .setProtectedHeader({ alg: 'RS256', kid: key.kid, ...header })
      .sign(key.privateKey);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(path: string, response: ServerResponse): void {
    this.asked.push(path);
    const json = (body: unknown) =>
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    switch (this.mode) {
      case 'html':
        return void response.setHeader('content-type', 'text/html').end('<h1>Sign in</h1>');
      case 'error':
        return void response.writeHead(500).end(JSON.stringify({ keys: this.published }));
      case 'redirect':
        if (path === '/elsewhere') return void json({ keys: this.published });
        return void response.writeHead(302, { location: '/elsewhere' }).end();
      case 'hang':
        return;
      case 'nonsense':
        return void json({ keys: 'none' });
      case 'empty':
        return void json(null);
    }
    if (path === '/keys') json({ keys: this.published });
    else if (path === '/.well-known/openid-configuration')
      json({ issuer: this.claimedUrl ?? this.url, jwks_uri: this.jwksUri });
    else response.writeHead(404).end();
  }
}
