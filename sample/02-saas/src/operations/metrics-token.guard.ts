import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type CanActivate, type ExecutionContext, Injectable, UnauthorizedException } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Metrics name tenants. Prometheus shows the token: `authorization: { credentials: … }` of its `scrape_config`. */
@Injectable()
export class MetricsTokenGuard implements CanActivate {
  readonly #expected: Buffer;

  constructor(config: ConfigService) {
    this.#expected = digest(`Bearer ${config.getOrThrow<string>('METRICS_TOKEN')}`);
  }

  /** @throws UnauthorizedException */
  canActivate(context: ExecutionContext): boolean {
    const { authorization = '' } = context.switchToHttp().getRequest<IncomingMessage>().headers;
    if (!timingSafeEqual(digest(authorization), this.#expected)) throw new UnauthorizedException();
    return true;
  }
}
