import { SetMetadata } from '@nestjs/common';
import { integer, oneOf, text } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';
import { MAX_CONCURRENCY } from '../context/tenant-context';
import type { Tenant } from '../registry/tenant';

export const TENANT_CRON = 'nestjs-tenancy:tenant-cron';

/** What becomes of fires that come while the last run goes on, or while no instance is there. */
export type MissedFires = 'skip' | 'run-once';

export class CheckedTenantCronOptions {
  /**
   * What all instances know the timer by: 1 to 200 characters without control characters, no other timer's. Default the
   * names of class and method: `Invoices.remind`.
   */
  @Option(text('give 1 to 200 characters, none of them a control character', isTimerName))
  readonly name?: string;

  /** By whose clocks the expression is read, such as `Europe/Berlin`. Default `UTC`, whatever instances are set to. */
  @Option(text('name a time zone, such as Europe/Berlin'))
  readonly timeZone: string = 'UTC';

  /** For how many tenants at once: an integer from 1 to 1,000. Default 1. Keep it below the pool's size. */
  @Option(integer(1, MAX_CONCURRENCY))
  readonly concurrency: number = 1;

  /**
   * Fires that come while the last run goes on, or while no instance is there, come to nothing (`skip`), or are made up
   * for by one run as soon as that is possible (`run-once`). Default `skip`.
   */
  @Option(oneOf<MissedFires>('skip', 'run-once'))
  readonly missed: MissedFires = 'skip';
}

export type TenantCronOptions = Given<CheckedTenantCronOptions>;

/** What the method is told beside its tenant. */
export interface TenantCronCall {
  /** The time of the cron expression, the same for all tenants of a run. */
  readonly fireAt: Date;
  /** Aborted when the work should end soon: at shutdown, or when another instance may have taken the run over. */
  readonly signal: AbortSignal;
}

/** What `@TenantCron()` was given. */
export interface TenantCronMetadata {
  readonly expression: string;
  readonly options: TenantCronOptions;
}

type TimerMethod = (tenant: Tenant, call: TenantCronCall) => unknown;

/**
 * Runs the method for each active tenant, in that tenant's context, once for all instances together.
 *
 * @param expression as `@Cron()` of `@nestjs/schedule` takes it: five fields, or six that begin with seconds
 */
export function TenantCron(expression: string, options: TenantCronOptions = {}) {
  const mark = SetMetadata(TENANT_CRON, { expression, options } satisfies TenantCronMetadata);
  return <T extends TimerMethod>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<T>,
  ): void => void mark(target, key, descriptor);
}

function isTimerName(name: string): boolean {
  return name.length > 0 && name.length <= 200 && !/[\p{Cc}\p{Cs}]/u.test(name);
}
