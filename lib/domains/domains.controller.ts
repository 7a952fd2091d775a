import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Controller, Get, HttpStatus, Inject, Optional, Query, Req, Res } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { backgroundClock, CLOCK, type Clock } from '../common/clock';
import { TenancyUnavailableError, TRY_AGAIN_SOON } from '../common/tenancy.errors';
import { allowedIps } from '../http/allowed-ips';
import { Public } from '../http/public-route.decorator';
import { TenantFree } from '../resolution/http/tenant-route.decorator';
import { type CheckedDomainsOptions, DOMAINS_OPTIONS } from './domains.options';
import { ServedHosts } from './served-hosts';

const MINUTE_MS = 60_000;

type Asking = { readonly raw: IncomingMessage } | IncomingMessage;

/** Tells a proxy whether it may get a certificate for a host. All answers are without a body. */
@Controller('domains')
@TenantFree()
@Public()
export class DomainsController {
  readonly #isAllowed: (address: string | undefined) => boolean;
  #minute = { endsAt: -Infinity, asked: 0 };

  constructor(
    private readonly hosts: ServedHosts,
    private readonly adapterHost: HttpAdapterHost,
    @Inject(DOMAINS_OPTIONS) private readonly options: CheckedDomainsOptions,
    @Optional() @Inject(CLOCK) private readonly clock: Clock = backgroundClock,
  ) {
    this.#isAllowed = allowedIps(options.allowedIps);
  }

  /** 200 for a host of an active tenant, else 404. */
  @Get('ask')
  async ask(
    @Query('domain') domain: unknown,
    @Query('secret') secret: unknown,
    @Req() request: Asking,
    @Res({ passthrough: true }) response: unknown,
  ): Promise<void> {
    const { httpAdapter } = this.adapterHost;
    const { status, headers = {} } = await this.#answer(request, domain, secret);
    httpAdapter.status(response, status);
    for (const [name, value] of Object.entries({ ...headers, 'Cache-Control': 'no-store' }))
      httpAdapter.setHeader(response, name, value);
  }

  async #answer(
    request: Asking,
    domain: unknown,
    secret: unknown,
  ): Promise<{ status: HttpStatus; headers?: Record<string, string> }> {
    const { remoteAddress } = ('raw' in request ? request.raw : request).socket;
    if (!this.#isAllowed(remoteAddress) || !this.#isSecret(secret)) return { status: HttpStatus.NOT_FOUND };
    const waitMs = this.#count();
    if (waitMs > 0) {
      const headers = { 'Retry-After': String(Math.ceil(waitMs / 1_000)) };
      return { status: HttpStatus.TOO_MANY_REQUESTS, headers };
    }
    try {
      return { status: (await this.hosts.has(domain)) ? HttpStatus.OK : HttpStatus.NOT_FOUND };
    } catch (error) {
      if (!(error instanceof TenancyUnavailableError)) throw error;
      return { status: HttpStatus.SERVICE_UNAVAILABLE, headers: TRY_AGAIN_SOON };
    }
  }

  #isSecret(sent: unknown): boolean {
    const { secret } = this.options;
    return secret === undefined || (typeof sent === 'string' && timingSafeEqual(hash(sent), hash(secret)));
  }

  /** How long until this question may be asked; 0 when it may. */
  #count(): number {
    const now = this.clock.now();
    if (now >= this.#minute.endsAt) this.#minute = { endsAt: now + MINUTE_MS, asked: 0 };
    if (this.#minute.asked >= this.options.asksPerMinute) return this.#minute.endsAt - now;
    this.#minute.asked += 1;
    return 0;
  }
}

/** Of equal length, as the comparison needs it. */
function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
