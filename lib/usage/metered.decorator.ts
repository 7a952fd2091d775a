import type { ServerResponse } from 'node:http';
import {
  applyDecorators,
  type CallHandler,
  type ExecutionContext,
  Injectable,
  mixin,
  type NestInterceptor,
  type Type,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { catchError, type MonoTypeOperatorFunction, type Observable, tap } from 'rxjs';
import { type Arrival, arrivalOf, isGraphql } from '../context/handler-call';
import { mayMiss, needsModule } from '../common/module-check';
import { ModuleMissingError } from '../common/start.errors';
import { TenantContext } from '../context/tenant-context';
import { checkMetric } from './metric';
import { TenantUsage, type UsageReservation } from './tenant-usage';
import { USAGE_OPTIONS } from './usage.options';

const NeedsUsage = needsModule(
  USAGE_OPTIONS,
  () => new ModuleMissingError(['@Metered()', 'TenancyUsageModule']),
);

/**
 * Counts what a route does for its tenant: once for each request that does not fail. With a hard quota a request is
 * counted before it runs, so that simultaneous requests cannot exceed the quota together. The count is taken back when
 * the request fails: when the handler throws, or, over HTTP, when the answer has a status of 400 or more, for example
 * from an interceptor outside of this one. A stream counts once it has sent something, even if the client ends it. A
 * request without a tenant is not counted. The decorator may be used several times, on a method or on a class.
 *
 * @param amount what one request counts, an integer from 0 to 1,000,000,000,000. Default 1
 * @throws InvalidMetricError when the metric or the amount is not allowed
 */
export function Metered(metric: string, amount = 1): ClassDecorator & MethodDecorator {
  checkMetric(metric, amount);
  return applyDecorators(UseGuards(NeedsUsage), UseInterceptors(meter(metric, amount)));
}

/** A stream that has sent something also counts when its subscriber leaves before the end. */
function onceServed<Value>(count: () => void): MonoTypeOperatorFunction<Value> {
  let hasSent = false;
  return tap({
    next: () => {
      hasSent = true;
    },
    complete: count,
    unsubscribe: () => {
      if (hasSent) count();
    },
  });
}

/**
 * Outer interceptors run after ours. When one of them cannot commit its transaction, for example, the request has
 * failed, too.
 */
function onceAnsweredWithError(context: ExecutionContext, arrival: Arrival, takeBack: () => void): void {
  // A GraphQL operation has one answer but many fields, each with its own call.
  if (arrival !== 'http' || isGraphql(context)) return;
  const reply = context.switchToHttp().getResponse<ServerResponse | { readonly raw: ServerResponse }>();
  const response = 'raw' in reply ? reply.raw : reply;
  const look = () => {
    if (response.statusCode >= 400) takeBack();
  };
  // A timeout interceptor may have answered before the reservation was made.
  if (response.writableEnded) look();
  else response.once('close', look);
}

function meter(metric: string, amount: number): Type<NestInterceptor> {
  @Injectable()
  class MeterInterceptor implements NestInterceptor {
    constructor(
      private readonly usage: TenantUsage,
      private readonly context: TenantContext,
    ) {}

    async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
      // Throws for an unknown transport, whose calls would otherwise go uncounted.
      const arrival = arrivalOf(context);
      const tenant = this.context.find();
      if (!tenant) return next.handle();
      const takeBackIfFailed = ({ release }: UsageReservation) =>
        onceAnsweredWithError(context, arrival, release);
      if (!this.usage.hasHardQuota(metric, tenant))
        return next
          .handle()
          .pipe(onceServed(() => takeBackIfFailed(this.usage.countUntilReleased(metric, amount, tenant))));
      const reservation = await this.usage.reserve(metric, amount, tenant);
      takeBackIfFailed(reservation);
      return next.handle().pipe(
        catchError((error: unknown) => {
          reservation.release();
          throw error;
        }),
      );
    }
  }
  // If the module is missing, Nest would name this class, which no user knows.
  mayMiss(MeterInterceptor);
  return mixin(MeterInterceptor);
}
