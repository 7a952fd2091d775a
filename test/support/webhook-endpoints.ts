import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { uuidV7 } from '../../lib/common/uuid-v7';
import type { TenancyWebhooksOptions } from '../../lib/webhooks';
import { SecretBox } from '../../lib/webhooks/secrets/secret-box';
import { newSecret } from '../../lib/webhooks/secrets/signature';
import type { TestDatabase } from './database';

const ENCRYPTION_KEYS = { k1: Buffer.alloc(32, 7).toString('base64') };

/** Options under which a receiver of a test's own can be called. */
export function webhooksToThisMachine(port: number): TenancyWebhooksOptions {
  return {
    encryptionKeys: ENCRYPTION_KEYS,
    ...{ allowHttp: true, ports: [port], allowedAddresses: ['127.0.0.1'] },
    deliveries: { perSecondPerEndpoint: 10_000 },
  };
}

/** Makes an endpoint with a secret, without an application. */
export async function insertEndpoint(
  database: TestDatabase,
  tenantId: string,
  url: string,
): Promise<{ readonly id: string; readonly secret: string }> {
  const [id, secretId, secret] = [uuidV7(), uuidV7(), newSecret()];
  await database.query('INSERT INTO tenancy.webhook_endpoints (id, tenant_id, url) VALUES ($1, $2, $3)', [
    ...[id, tenantId, url],
  ]);
  const { keyId, ciphertext } = new SecretBox(ENCRYPTION_KEYS, 'k1').close(secret, secretId);
  await database.query(
    'INSERT INTO tenancy.webhook_secrets (id, endpoint_id, key_id, ciphertext) VALUES ($1, $2, $3, $4)',
    [secretId, id, keyId, ciphertext],
  );
  return { id, secret };
}

export interface ReceivedWebhook {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A receiver on this machine: what it got, and what it does with the next ones. */
export class LocalReceiver {
  readonly received: ReceivedWebhook[] = [];
  #server!: Server;

  constructor(
    /** 204 by default. */
    public answer: (webhook: ReceivedWebhook, response: ServerResponse) => void = (_webhook, response) =>
      void response.writeHead(204).end(),
  ) {}

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.#server = createServer((request, response) => void this.#take(request, response));
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const headers = request.headers as Record<string, string>;
    const webhook = { path: request.url ?? '', headers, body };
    this.received.push(webhook);
    this.answer(webhook, response);
  }
}
