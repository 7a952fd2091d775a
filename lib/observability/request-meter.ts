import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable, type NestMiddleware } from '@nestjs/common';
import { getRequestState } from '../resolution/http/request-state';
import { TenancyMetrics } from './tenancy-metrics';

/** Counts requests when they are answered: by then it is known whose they were, whichever middleware came first. */
@Injectable()
export class RequestMeter implements NestMiddleware<IncomingMessage, ServerResponse> {
  constructor(private readonly metrics: TenancyMetrics) {}

  use(request: IncomingMessage, response: ServerResponse, next: () => void): void {
    const start = performance.now();
    // Not `finish`, which a caller who goes away does not let happen.
    response.once('close', () => {
      const tenant = getRequestState(request)?.frame.tenant;
      this.metrics.answered(tenant, response.statusCode, (performance.now() - start) / 1_000);
    });
    next();
  }
}
