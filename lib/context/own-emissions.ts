import { AsyncResource } from 'node:async_hooks';
import { type MonoTypeOperatorFunction, Observable, type Observer } from 'rxjs';
import { ForeignEmissionError } from './context.errors';
import { frameKey, type TenantContext } from './tenant-context';

/**
 * What a source emits, as if it were emitted in the subscriber's own request or message: operators after this one run
 * for the subscriber's tenant, not for whoever emitted. Put it right behind what several subscribers share:
 * `bus.pipe(forSubscriber(), concatMap(() => this.orders.list()))`.
 */
export function forSubscriber<Value>(): MonoTypeOperatorFunction<Value> {
  return (source) => inOwnFrame(source);
}

/**
 * The same for what a handler has returned, where its operators cannot be reached any more: what comes for another
 * tenant than the subscriber's is refused, since it may hold that one's rows.
 *
 * @throws ForeignEmissionError to the subscriber
 */
export function ownEmissions<Value>(source: Observable<Value>, context: TenantContext): Observable<Value> {
  return new Observable((subscriber) => {
    const own = frameKey(context.frame());
    const checked = new Observable<Value>((observer) =>
      source.subscribe({
        next: (value) => {
          const key = frameKey(context.frame());
          // The code of nobody and of the system sees no tenant's rows, and needs none to emit.
          if (key === own || key === undefined || key === 'system') observer.next(value);
          else observer.error(new ForeignEmissionError());
        },
        error: (error) => observer.error(error),
        complete: () => observer.complete(),
      }),
    );
    return inOwnFrame(checked).subscribe(subscriber);
  });
}

function inOwnFrame<Value>(source: Observable<Value>): Observable<Value> {
  return new Observable((subscriber) => {
    const frame = new AsyncResource('nestjs-tenancy subscription');
    // An observer of our own: the subscriber itself would be unsubscribed past us, in the frame of whoever does it.
    const observer: Observer<Value> = {
      next: (value) => frame.runInAsyncScope(() => subscriber.next(value)),
      error: (error) => frame.runInAsyncScope(() => subscriber.error(error)),
      complete: () => frame.runInAsyncScope(() => subscriber.complete()),
    };
    const subscription = source.subscribe(observer);
    return () => frame.runInAsyncScope(() => subscription.unsubscribe());
  });
}
