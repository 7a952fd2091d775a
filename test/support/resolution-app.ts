import type { IncomingHttpHeaders } from 'node:http';
import { request as httpRequest, type OutgoingHttpHeaders } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Controller, Get, type INestApplication, Module, type NestModule } from '@nestjs/common';
import type { MiddlewareConsumer } from '@nestjs/common';
import { APP_GUARD, type AbstractHttpAdapter, DiscoveryModule } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { TenantContext } from '../../lib/context/tenant-context';
import { CurrentTenant } from '../../lib/resolution/http/current-tenant.decorator';
import { REGISTRY_OPTIONS } from '../../lib/registry/registry.options';
import { RESOLUTION_OPTIONS, type ResolutionOptions } from '../../lib/resolution/resolution.options';
import { GraphqlErrors } from '../../lib/resolution/http/graphql-errors';
import { TenancyExceptionFilter } from '../../lib/resolution/http/tenancy-exception.filter';
import { RegistryLookups } from '../../lib/registry/cache/registry-lookup';
import { TenantLookup } from '../../lib/registry/cache/tenant-lookup';
import { TenantResolution } from '../../lib/resolution/tenant-resolution';
import { TenantFree, TenantOptional } from '../../lib/resolution/http/tenant-route.decorator';
import { TenantGuard } from '../../lib/resolution/http/tenant.guard';
import { TenantMiddleware } from '../../lib/resolution/http/tenant.middleware';
import { InMemoryTenantStore } from '../../lib/registry/store/in-memory-tenant.store';
import type { TenantStatus } from '../../lib/registry/tenant';
import { type NewTenant, TenantStore } from '../../lib/registry/store/tenant.store';
import { RecordingLogger } from './test-app';

/** Says whom it ran for. */
@Controller()
class WhoController {
  @Get('who')
  who(@CurrentTenant('slug') slug: string) {
    return { slug };
  }

  @TenantOptional()
  @Get('optional')
  optional(@CurrentTenant('slug') slug: string | undefined) {
    return { slug: slug ?? null };
  }

  @TenantFree()
  @Get('free')
  free() {
    return { slug: null };
  }
}

export interface ResolutionAppOptions extends ResolutionOptions {
  readonly adapter: AbstractHttpAdapter;
  /** Before it listens. */
  readonly prepare?: (app: INestApplication) => void;
}

export interface ResolutionAnswer {
  readonly status: number;
  // What a server says is anybody's guess until a test has looked at it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
  readonly headers: IncomingHttpHeaders;
}

/** An application that only resolves: its tenants, by slug, are in memory; the HTTP is real. */
export class ResolutionApp {
  readonly store = new InMemoryTenantStore();
  readonly log = new RecordingLogger();
  readonly ids: Record<string, string> = {};
  #app!: INestApplication;

  static async start(
    { adapter, prepare, ...options }: ResolutionAppOptions,
    tenants: Readonly<Record<string, readonly string[]>> = { acme: [], globex: [] },
  ): Promise<ResolutionApp> {
    const started = new ResolutionApp();
    for (const [slug, domains] of Object.entries(tenants)) await started.add(slug, domains);
    const testing = await Test.createTestingModule({
      imports: [resolutionModule(options, started.store)],
    }).compile();
    started.#app = testing.createNestApplication(adapter, { logger: started.log });
    prepare?.(started.#app);
    await started.#app.listen(0, '127.0.0.1');
    return started;
  }

  async add(slug: string, domains: readonly string[] = [], status: TenantStatus = 'active'): Promise<void> {
    const n = Object.keys(this.ids).length;
    const tenant: NewTenant = {
      id: `01890a5d-ac96-774b-bcce-b302099a80${50 + n}`,
      slug,
      name: slug,
      schemaName: `t_${slug}`,
      status,
      domains,
      metadata: {},
      templateVersion: null,
      schemaVersion: null,
    };
    this.ids[slug] = tenant.id;
    await this.store.insert(tenant);
  }

  get url(): string {
    const { port } = this.#app.getHttpServer().address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  /** The answer to a request with just this path and these headers. */
  get(path: string, headers: OutgoingHttpHeaders = {}): Promise<ResolutionAnswer> {
    const { port } = this.#app.getHttpServer().address() as AddressInfo;
    return new Promise((resolve, reject) => {
      // A connection each: a server closes one on which it was sent what is no HTTP.
      httpRequest({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const { statusCode = 0 } = response;
          resolve({
            status: statusCode,
            body: parsed(Buffer.concat(chunks).toString()),
            headers: response.headers,
          });
        });
      })
        .on('error', reject)
        .end();
    });
  }

  /** All that comes to a request of just these lines: Node's client writes neither two Host headers nor HTTP/1.0. */
  send(...lines: readonly string[]): Promise<string> {
    const { port } = this.#app.getHttpServer().address() as AddressInfo;
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () =>
        socket.write([...lines, 'Connection: close', '', ''].join('\r\n')),
      );
      const chunks: Buffer[] = [];
      socket.on('data', (chunk) => chunks.push(chunk));
      socket.on('error', reject);
      socket.on('close', () => resolve(Buffer.concat(chunks).toString()));
    });
  }

  close(): Promise<void> {
    return this.#app.close();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function resolutionModule(options: ResolutionOptions, store: TenantStore) {
  @Module({
    imports: [DiscoveryModule],
    controllers: [WhoController],
    providers: [
      TenantContext,
      RegistryLookups,
      TenantLookup,
      TenantResolution,
      GraphqlErrors,
      TenancyExceptionFilter,
      { provide: TenantStore, useValue: store },
      { provide: RESOLUTION_OPTIONS, useValue: options },
      { provide: REGISTRY_OPTIONS, useValue: {} },
      { provide: APP_GUARD, useClass: TenantGuard },
    ],
  })
  class ResolutionModule implements NestModule {
    configure(consumer: MiddlewareConsumer) {
      consumer.apply(TenantMiddleware).forRoutes('{*splat}');
    }
  }
  return ResolutionModule;
}

export const servedAs = (slug: string) => expect.objectContaining({ status: 200, body: { slug } });
export const refusedWith = (status: number, code: string) =>
  expect.objectContaining({ status, body: { statusCode: status, code, message: expect.any(String) } });
