import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';

type Hook = 'onModuleInit' | 'onApplicationBootstrap';

/** Providers of other packages that start work on their own: the class, and the hook in which it starts. */
const STARTERS: Readonly<Record<string, Hook>> = {
  // @nestjs/schedule: @Cron(), @Interval() and @Timeout().
  SchedulerOrchestrator: 'onApplicationBootstrap',
  // @nestjs/bullmq: the workers of @Processor().
  BullRegistrar: 'onModuleInit',
};

/**
 * Keeps the application's timers and workers from starting. All other hooks run, so that the application's hooks for
 * new tenants find what they need.
 */
@Injectable()
export class NoTimers implements OnModuleInit {
  constructor(private readonly modules: ModulesContainer) {}

  /** Nest makes all providers before it calls hooks, and calls the hooks of global modules first. */
  onModuleInit(): void {
    for (const { providers } of this.modules.values()) {
      for (const { metatype, instance } of providers.values()) {
        const hook = STARTERS[(metatype as { name?: string } | null)?.name ?? ''];
        if (hook) Object.assign(instance as object, { [hook]: () => undefined });
      }
    }
  }
}
