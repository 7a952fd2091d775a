import {
  applyDecorators,
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  SetMetadata,
  UseInterceptors,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { type TenantTransactionOptions, TenantTransactions } from './tenant-transactions';

const TRANSACTION_OPTIONS = 'nestjs-tenancy:transaction';

@Injectable()
export class TenantTransactionInterceptor implements NestInterceptor {
  constructor(
    private readonly transactions: TenantTransactions,
    private readonly reflector: Reflector,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const options = this.reflector.getAllAndOverride<TenantTransactionOptions>(TRANSACTION_OPTIONS, [
      context.getHandler(),
      context.getClass(),
    ]);
    const handle = () => lastValueFrom(next.handle() as Observable<unknown>, { defaultValue: undefined });
    return from(this.transactions.run(handle, options));
  }
}

/**
 * Runs each request to the route in one transaction, which every repository of the tenant sees: committed before the
 * answer is sent, rolled back when the handler fails. Not for handlers that stream: their answer is the last value.
 */
export function TenantTransaction(options: TenantTransactionOptions = {}): MethodDecorator & ClassDecorator {
  return applyDecorators(
    SetMetadata(TRANSACTION_OPTIONS, options),
    UseInterceptors(TenantTransactionInterceptor),
  );
}
