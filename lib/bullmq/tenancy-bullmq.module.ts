import {
  ConfigurableModuleBuilder,
  type DynamicModule,
  type FactoryProvider,
  Global,
  Module,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import type { BullModule, RegisterFlowProducerOptions, RegisterQueueOptions } from '@nestjs/bullmq';
import type { Queue } from 'bullmq';
import { checkedProviders } from '../common/module-check';
import { optionsProvider } from '../common/options/options-provider';
import { TENANCY } from '../tenancy.module';
import { InvalidBullmqOptionsError } from './bullmq.errors';
import { BULLMQ_OPTIONS, CheckedBullmqOptions, type TenancyBullmqOptions } from './bullmq.options';
import { FairPriorities } from './fair-priorities';
import { HeldJobs } from './held-jobs';
import { HeldSchedulers } from './held-schedulers';
import { JobPreparation } from './job-preparation';
import { JobStamps } from './job-stamps';
import { nestBullmq } from './packages';
import { TenantFlowProducer } from './tenant-flow-producer';
import { TenantJobs } from './tenant-jobs';
import { TenantQueue, type TenantQueueOptions, type TenantQueueSettings } from './tenant-queue';
import { TenantQueues } from './tenant-queues';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<TenancyBullmqOptions>().setClassMethodName('forRoot').build();

export type TenantQueueRegistration = Omit<RegisterQueueOptions, 'processors' | 'name'> &
  TenantQueueSettings & { readonly name: string };

export interface TenantQueueAsyncRegistration extends Pick<ModuleMetadata, 'imports'> {
  readonly name: string;
  readonly configKey?: string;
  readonly inject?: FactoryProvider['inject'];
  readonly useFactory: (
    ...given: never[]
  ) => Omit<TenantQueueRegistration, 'name'> | Promise<Omit<TenantQueueRegistration, 'name'>>;
}

export type TenantFlowProducerRegistration = RegisterFlowProducerOptions & TenantQueueSettings;

/**
 * BullMQ for tenants. Import `forRoot()` once, beside `TenancyModule` and `BullModule.forRoot()`; and `registerQueue()` in the
 * place of `BullModule`'s.
 */
@Global()
@Module({
  imports: [DiscoveryModule],
  providers: checkedProviders(
    (): Type => TenancyBullmqModule,
    MODULE_OPTIONS_TOKEN,
    () => [TENANCY],
    [
      optionsProvider({
        provide: BULLMQ_OPTIONS,
        given: MODULE_OPTIONS_TOKEN,
        declared: CheckedBullmqOptions,
        Refusal: InvalidBullmqOptionsError,
      }),
      JobStamps,
      FairPriorities,
      JobPreparation,
      TenantJobs,
      TenantQueues,
      HeldJobs,
      HeldSchedulers,
    ],
  ),
  exports: [JobPreparation, TenantJobs, TenantQueues],
})
export class TenancyBullmqModule extends ConfigurableModuleClass {
  static override forRoot(options: TenancyBullmqOptions = {}): DynamicModule {
    return super.forRoot(options);
  }

  /** Makes queues injectable by `@InjectQueue(name)`, as `TenantQueue`s. */
  static registerQueue(...queues: TenantQueueRegistration[]): DynamicModule {
    return this.registerQueueAsync(
      ...queues.map(({ name, configKey, ...options }) => ({ name, configKey, useFactory: () => options })),
    );
  }

  /** The same with options from a factory. */
  static registerQueueAsync(...queues: TenantQueueAsyncRegistration[]): DynamicModule {
    return bull().registerQueueAsync(
      ...queues.map(({ inject = [], useFactory, ...rest }) => ({
        ...rest,
        inject: [TenantQueues, JobPreparation, ...inject],
        useFactory: async (own: TenantQueues, preparation: JobPreparation, ...given: unknown[]) => {
          const options = await useFactory(...(given as never[]));
          own.declare(rest.name, options.fair ?? true);
          return { ...options, preparation, whenMade: (queue: Queue) => own.add(queue) };
        },
      })),
    );
  }

  /** Makes producers of flows injectable by `@InjectFlowProducer(name)`, as `TenantFlowProducer`s. */
  static registerFlowProducer(...producers: TenantFlowProducerRegistration[]): DynamicModule {
    return bull().registerFlowProducerAsync(
      ...producers.map(({ name, configKey, ...options }) => ({
        name,
        configKey,
        inject: [TenantQueues, JobPreparation],
        useFactory: (own: TenantQueues, preparation: JobPreparation) => ({
          ...options,
          preparation,
          isFair: (queue: string) => own.isFair(queue),
        }),
      })),
    );
  }
}

/** Nest's module, with queues of ours. The class whose setters are called is another one each time: nothing of Nest's changes. */
function bull(): typeof BullModule {
  class TenantBullModule extends nestBullmq.BullModule {}
  TenantBullModule.queueClass = RegisteredQueue;
  TenantBullModule.flowProducerClass = TenantFlowProducer;
  return TenantBullModule;
}

/** Nest makes queues itself, so each tells that it is there. */
class RegisteredQueue extends TenantQueue {
  constructor(
    name: string,
    { whenMade, ...options }: TenantQueueOptions & { whenMade: (queue: Queue) => void },
  ) {
    super(name, options);
    whenMade(this);
  }
}
