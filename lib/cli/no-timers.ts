import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';

type Hook = 'onModuleInit' | 'onApplicationBootstrap';

/** Providers of other packages that begin to work by themselves: the class, and the hook in which it does so. */
const STARTERS: Readonly<Record<string, Hook>> = {
  // @nestjs/schedule: @Cron(), @Interval() and @Timeout().
  SchedulerOrchestrator: 'onApplicationBootstrap',
  // @nestjs/bullmq: the workers of @Processor().
  BullRegistrar: 'onModuleInit',
};

/**
 * Keeps the application's timers and workers from starting. All other hooks are called, so that what the application does
 * for a new tenant finds what it needs.
 */
@Injectable()
export class NoTimers implements OnModuleInit {
  constructor(private readonly modules: ModulesContainer) {}

  /** Nest makes all providers before it calls a hook, and calls the hooks of global modules first. */
  onModuleInit(): void {
    for (const { providers } of this.modules.values()) {
      for (const { metatype, instance } of providers.values()) {
        const hook = STARTERS[(metatype as { name?: string } | null)?.name ?? ''];
        if (hook) Object.assign(instance as object, { [hook]: () => undefined });
      }
    }
  }
}
