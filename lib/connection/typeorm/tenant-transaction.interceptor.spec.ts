import type { CallHandler, ExecutionContext } from '@nestjs/common';
import { concat, defer, lastValueFrom, of, toArray } from 'rxjs';
import { TenantContext } from '../../context/tenant-context';
import { InMemoryTenantStore } from '../../registry/store/in-memory-tenant.store';
import { TenantTransactionInterceptor } from './tenant-transaction.interceptor';
import type { TenantTransactions } from './tenant-transactions';

it('sends all that a handler emits, after the commit', async () => {
  const events: string[] = [];
  const transactions = {
    run: async (work: () => Promise<unknown>) => {
      const result = await work();
      events.push('commit');
      return result;
    },
  } as unknown as TenantTransactions;
  const context = {
    getType: () => 'http',
    getHandler: () => it,
    getClass: () => Object,
  } as unknown as ExecutionContext;
  const next: CallHandler = {
    handle: () =>
      concat(
        of('one'),
        defer(() => of('two')),
      ),
  };
  const answers = new TenantTransactionInterceptor(
    transactions,
    new TenantContext(new InMemoryTenantStore()),
  ).intercept(context, next);
  answers.subscribe((value) => events.push(String(value)));
  await expect(lastValueFrom(answers.pipe(toArray()))).resolves.toEqual(['one', 'two']);
  expect(events.slice(0, 1)).toEqual(['commit']);
  expect(events.indexOf('one')).toBeGreaterThan(events.indexOf('commit'));
});
