import type { Server } from 'node:http';
import type { INestApplication } from '@nestjs/common';
import type { Tenant } from 'nestjs-tenancy';
import { ApiKeys } from 'nestjs-tenancy/access';
import { type TestTenants, testTenants } from 'nestjs-tenancy/testing';
import request from 'supertest';
import { createApp } from '../src/create-app';
import { AppLogger } from '../src/logging/app-logger';
import { FIRST_KEY_SCOPES } from '../src/tenants/scopes';

interface Asked {
  readonly key?: string;
  readonly body?: object;
  readonly headers?: Record<string, string>;
}

/** The application as main.ts makes it, with what tests ask of it. */
export class RunningApp {
  readonly tenants: TestTenants;

  private constructor(
    readonly app: INestApplication<Server>,
    /** Its log, line by line. */
    readonly log: readonly string[],
  ) {
    this.tenants = testTenants({ app });
  }

  static async start(): Promise<RunningApp> {
    const log: string[] = [];
    const logger = new AppLogger({ write: (line) => void log.push(line) });
    const app = await createApp(logger, { abortOnError: false });
    await app.init();
    return new RunningApp(app, log);
  }

  /** A tenant of one test, on a plan, and a key that may do what `scopes` say. */
  async makeTenant(plan = 'gold', scopes = FIRST_KEY_SCOPES): Promise<{ tenant: Tenant; key: string }> {
    const tenant = await this.tenants.make({ metadata: { plan } });
    const { key } = await this.app.get(ApiKeys).create(tenant.id, { name: 'test', scopes });
    return { tenant, key };
  }

  /** One request: `ask('POST /orders', { key, body: { description: 'tea' } })`. */
  ask(line: string, { key, body, headers = {} }: Asked = {}): request.Test {
    const [method, path] = line.split(' ');
    const asked = request(this.app.getHttpServer())
      [method.toLowerCase() as 'get' | 'post'](path)
      .set(headers);
    if (key) asked.set('x-api-key', key);
    return asked.send(body);
  }

  async close(): Promise<void> {
    await this.tenants.dropAll();
    await this.app.close();
  }
}
