import { Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { type DecoratedMethod, decoratedMethods, namesakes } from '../common/decorated-methods';
import { problemsOf } from '../common/options/check-options';
import { show } from '../common/show-value';
import type { FieldError } from '../common/tenancy.errors';
import type { Tenant } from '../registry/tenant';
import { CronTimes, type CronTimeClass, loadCronTime } from './cron-times';
import { InvalidScheduleError } from './schedule.errors';
import {
  CheckedTenantCronOptions,
  TENANT_CRON,
  type TenantCronCall,
  type TenantCronMetadata,
} from './tenant-cron.decorator';

/** A method with `@TenantCron()`. */
export interface DeclaredTimer extends Required<CheckedTenantCronOptions> {
  readonly expression: string;
  readonly times: CronTimes;
  call(tenant: Tenant, call: TenantCronCall): unknown;
}

type Found = DecoratedMethod<TenantCronMetadata, [tenant: Tenant, call: TenantCronCall]>;

/** Finds the timers of the application, once all providers are there. */
@Injectable()
export class DeclaredTimers {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /** @throws InvalidScheduleError naming all that is wrong; PackageMissingError */
  find(): DeclaredTimer[] {
    const Time = loadCronTime();
    const found: Found[] = decoratedMethods(TENANT_CRON, this.discovery, this.scanner);
    const problems: FieldError[] = [];
    const timers = found.flatMap((each) => {
      const own = problemsIn(each, Time);
      problems.push(...own);
      return own.length > 0 ? [] : [toTimer(each, Time)];
    });
    problems.push(
      ...namesakes(
        'timer',
        timers.map(({ name }) => name),
      ),
    );
    if (problems.length > 0) throw new InvalidScheduleError(problems);
    return timers;
  }
}

function problemsIn({ where, metadata, call }: Found, Time: CronTimeClass): FieldError[] {
  const { expression, options } = metadata;
  const field = `${where}()`;
  const problems = problemsOf(CheckedTenantCronOptions, options, field);
  if (!call)
    problems.push({
      field,
      message:
        'is a timer of a class that is made anew for each request, or for each class that injects it: no timer can call it. Move it into a class of the default scope',
    });
  if (typeof expression !== 'string')
    problems.push({ field, message: `has the expression ${show(expression)}: give a cron expression` });
  if (problems.length > 0) return problems;
  const { timeZone } = { ...new CheckedTenantCronOptions(), ...options };
  const why = whyUnreadable(() => new CronTimes(Time, '* * * * *', timeZone).next(new Date()));
  if (why !== undefined)
    return [{ field, message: `has the time zone ${show(timeZone)}: name one such as Europe/Berlin` }];
  const never = whyUnreadable(() => new CronTimes(Time, expression, timeZone).next(new Date()));
  if (never === undefined) return [];
  return [{ field, message: `has the expression ${show(expression)}, which never fires (${never})` }];
}

function whyUnreadable(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    // The rest of a message asks to report it to the package.
    return (error as Error).message.split('\n')[0].trim().replace(/\.$/, '');
  }
}

function toTimer({ where, metadata, call }: Found, Time: CronTimeClass): DeclaredTimer {
  const { expression } = metadata;
  const options = { ...new CheckedTenantCronOptions(), ...metadata.options };
  return {
    ...options,
    name: options.name ?? where,
    expression,
    times: new CronTimes(Time, expression, options.timeZone),
    call: call!,
  };
}
