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
import { type Arrival, arrivalOf, isGraphql } from '../common/arrival';
import { mayMiss, ModuleMissingError, needsModule } from '../common/module-check';
import { TenantContext } from '../context/tenant-context';
import { checkMetric } from './metric';
import { TenantUsage, type UsageReservation } from './tenant-usage';
import { USAGE_OPTIONS } from './usage.options';

const NeedsUsage = needsModule(
  USAGE_OPTIONS,
  () => new ModuleMissingError(['@Metered()', 'TenancyUsageModule']),
);

/**
 * Counts what a route does for its tenant: once for each request that does not fail. With a hard quota it is counted
 * before, so that of requests that come at once none exceeds it, and taken back when the request fails: in the handler, or
 * over HTTP in whatever answers with a status of 400 or more, such as an interceptor outside of this one. A stream counts
 * once it has sent something, whoever ends it. A request without a tenant is not counted. May be given several times, on a
 * method or on a class.
 *
 * @param amount what one request counts, an integer from 0 to 1,000,000,000,000. Default 1
 * @throws InvalidMetricError
 */
export function Metered(metric: string, amount = 1): ClassDecorator & MethodDecorator {
  checkMetric(metric, amount);
  return applyDecorators(UseGuards(NeedsUsage), UseInterceptors(meter(metric, amount)));
}

/** A stream that has sent something counts, too, when whoever listens goes away before its end. */
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

/** Interceptors outside of ours work after it: a transaction that they cannot commit fails the request, too. */
function onceAnsweredWithError(context: ExecutionContext, arrival: Arrival, takeBack: () => void): void {
  // An operation of GraphQL has many fields, and one answer.
  if (arrival !== 'http' || isGraphql(context)) return;
  const reply = context.switchToHttp().getResponse<ServerResponse | { readonly raw: ServerResponse }>();
  const response = 'raw' in reply ? reply.raw : reply;
  const look = () => {
    if (response.statusCode >= 400) takeBack();
  };
  // Whoever ran out of patience may have answered before a reservation was had.
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
      // What comes in a way that we do not know would go uncounted.
      const arrival = arrivalOf(context);
      const tenant = this.context.find();
      if (!tenant) return next.handle();
      const takeBackIfFailed = ({ release }: UsageReservation) =>
        onceAnsweredWithError(context, arrival, release);
      if (!this.usage.isLimited(metric, tenant))
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
  // Nest would tell of what is missing by the name of this class, which nobody knows.
  mayMiss(MeterInterceptor);
  return mixin(MeterInterceptor);
}
