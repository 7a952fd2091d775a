import { HttpStatus } from '@nestjs/common';
import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import { StartError } from '../common/start.errors';
import { type FieldError, TenancyError, TRY_AGAIN_SOON } from '../common/tenancy.errors';

/** The module cannot work with its options. Thrown at the start, and names everything that is wrong. */
export class InvalidBullmqOptionsError extends InvalidOptionsError {
  readonly code = 'BULLMQ_OPTIONS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyBullmqModule', problems);
  }
}

/** A processor would run the jobs of tenants without their tenant. Thrown at the start. */
export class ProcessorNotTenantsError extends StartError {
  readonly code = 'PROCESSOR_NOT_TENANTS';

  constructor(processor: string, queue: string) {
    super(
      `${processor} would run the jobs of the queue "${queue}" without their tenants. Put @TenantProcessor('${queue}') of ` +
        'nestjs-tenancy/bullmq in the place of @Processor() on the class itself, which Nest must make (useClass).',
    );
  }
}

/** A job or scheduler of a tenant was given an id that other tenants could give, too. Nothing was added. */
export class JobIdSharedError extends TenancyError {
  readonly code = 'JOB_ID_SHARED';

  constructor(what: string, id: string, queue: string, tenantId: string) {
    super(
      `The ${what} "${id}" is one of the whole queue "${queue}": where another tenant gives the same one, BullMQ drops one of both ` +
        `without a word. Put the tenant's id into it, as in "${tenantId} ${id}".`,
    );
  }
}

/** A job was to be added with an option that cannot be had together with fair turns. Nothing was added. */
export class JobNotFairError extends TenancyError {
  readonly code = 'JOB_NOT_FAIR';

  constructor(option: string, queue: string) {
    super(
      `A job of the queue "${queue}" was given ${option}. Tenants have fair turns there by their jobs' priorities: leave the option ` +
        `out, or register the queue with fair: false, where the jobs of one tenant hold up those of others.`,
    );
  }
}

/** Redis, or PostgreSQL, has not answered in time when jobs were to be added. */
export class QueueUnavailableError extends TenancyError {
  readonly code = 'QUEUE_UNAVAILABLE';
  override readonly statusCode = HttpStatus.SERVICE_UNAVAILABLE;
  override readonly headers = TRY_AGAIN_SOON;

  /** @param isSent whether the jobs were sent, so that they are added once the server is back */
  constructor(
    queue: string,
    ms: number,
    readonly isSent: boolean,
  ) {
    super(
      `The queue "${queue}" did not answer within ${ms} ms. ` +
        (isSent
          ? 'The jobs are added when its server is back, unless this process has ended by then.'
          : 'No job was added.'),
    );
  }

  override get publicMessage(): string {
    return 'Work for later cannot be noted right now. Try again shortly.';
  }
}
