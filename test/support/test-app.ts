import type { INestApplication, LoggerService, ModuleMetadata } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { TenantProvisioner, type Tenant, type TenantRequestedBy } from '../../lib';
import { type RawAnswer, rawRequest } from './raw-request';

/** What the application said, by level. */
export class RecordingLogger implements LoggerService {
  readonly errors: string[] = [];
  readonly warnings: string[] = [];
  log() {}
  warn(message: unknown) {
    this.warnings.push(String(message));
  }
  error(message: unknown) {
    this.errors.push(String(message));
  }
}

export interface TestAppOptions {
  readonly adapter?: AbstractHttpAdapter;
  /** Before it listens. */
  readonly prepare?: (app: INestApplication) => void;
}

/** An application of a test's own, listening on a free port. */
export interface TestApp {
  readonly app: INestApplication;
  readonly url: string;
  readonly log: RecordingLogger;
  get(path: string, tenant?: string): Promise<RawAnswer>;
  create(tenant: TenantRequestedBy): Promise<Tenant>;
  close(): Promise<void>;
}

/** Starts an application of one module. One that does not start is closed, as far as it can be. */
export async function startTestApp(
  metadata: ModuleMetadata,
  { adapter = new ExpressAdapter(), prepare }: TestAppOptions = {},
): Promise<TestApp> {
  @Module(metadata)
  class RootModule {}

  const log = new RecordingLogger();
  const app = await NestFactory.create(RootModule, adapter, { logger: log, abortOnError: false });
  try {
    prepare?.(app);
    await app.listen(0, '127.0.0.1');
  } catch (error) {
    await app.close();
    throw error;
  }
  const url = await app.getUrl();
  return {
    app,
    url,
    log,
    get: (path, tenant) =>
      rawRequest(url, path, { headers: tenant === undefined ? {} : { 'x-tenant-id': tenant } }),
    create: (tenant) => app.get(TenantProvisioner).create(tenant),
    close: () => app.close(),
  };
}
