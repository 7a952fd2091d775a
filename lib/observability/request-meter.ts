import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable, type NestMiddleware } from '@nestjs/common';
import { getRequestState } from '../context/handler-call';
import { TenancyMetrics } from './tenancy-metrics';

/** Counts a request when it has been answered. By then its tenant is known, in whatever order the middleware ran. */
@Injectable()
export class RequestMeter implements NestMiddleware<IncomingMessage, ServerResponse> {
  constructor(private readonly metrics: TenancyMetrics) {}

  use(request: IncomingMessage, response: ServerResponse, next: () => void): void {
    const start = performance.now();
    // `finish` is not emitted when the client disconnects.
    response.once('close', () => {
      const tenant = getRequestState(request)?.frame.tenant;
      this.metrics.answered(tenant, response.statusCode, (performance.now() - start) / 1_000);
    });
    next();
  }
}
