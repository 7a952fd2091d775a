import {
  applyDecorators,
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  SetMetadata,
  UseInterceptors,
} from '@nestjs/common';
import { from, lastValueFrom, mergeMap, type Observable, of, toArray } from 'rxjs';
import { checkArguments } from '../../common/options/check-options';
import { routeMetadata, arrivalOf } from '../../context/handler-call';
import { ownEmissions } from '../../context/own-emissions';
import { TenantContext } from '../../context/tenant-context';
import { TenantTransactionOptions, TenantTransactions } from './tenant-transactions';

const TRANSACTION_OPTIONS = 'nestjs-tenancy:transaction';

@Injectable()
export class TenantTransactionInterceptor implements NestInterceptor {
  constructor(
    private readonly transactions: TenantTransactions,
    private readonly context: TenantContext,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    arrivalOf(context);
    const options = routeMetadata<TenantTransactionOptions>(TRANSACTION_OPTIONS, context);
    const handle = () =>
      lastValueFrom(ownEmissions(next.handle() as Observable<unknown>, this.context).pipe(toArray()));
    return from(this.transactions.run(handle, options)).pipe(
      mergeMap((values) => (values.length > 0 ? from(values) : of(undefined))),
    );
  }
}

/**
 * Runs the handler of each request or message, its pipes, and the interceptors after this one in one transaction, which
 * every repository of the tenant sees: committed before anything is answered, rolled back when the handler fails. What an
 * Observable emits is kept until it has completed, and sent after the COMMIT: not for handlers that stream.
 */
export function TenantTransaction(options: TenantTransactionOptions = {}): MethodDecorator & ClassDecorator {
  checkArguments('TenantTransaction()', TenantTransactionOptions, options);
  return applyDecorators(
    SetMetadata(TRANSACTION_OPTIONS, options),
    UseInterceptors(TenantTransactionInterceptor),
  );
}
