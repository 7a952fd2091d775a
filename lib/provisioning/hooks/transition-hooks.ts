import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { Tenant } from '../../registry/tenant';
import { namedHooks, type NamedHook } from './named-hooks';
import { TransitionHookFailedError } from '../provisioning.errors';
import {
  PROVISIONING_OPTIONS,
  type ProvisioningOptions,
  type TenantStep,
  type TransitionHook,
} from '../provisioning.options';

/** What a class with `@OnTransition()` implements. */
export interface TenantTransitionHook {
  onTransition: TransitionHook;
}

/** Marks a provider of any module, whose method `onTransition(tenant, step)` is called before each step in a tenant's life. */
export const OnTransition = DiscoveryService.createDecorator();

/** What the application does, or refuses, before a step in a tenant's life is taken. */
@Injectable()
export class TransitionHooks implements OnModuleInit {
  #hooks: readonly NamedHook<TransitionHook>[] = [];

  constructor(
    private readonly discovery: DiscoveryService,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** @throws InvalidHookError */
  onModuleInit(): void {
    this.#hooks = namedHooks(this.discovery, {
      functions: this.options.onTransition,
      decorator: OnTransition,
      decoratorName: '@OnTransition()',
      method: 'onTransition',
    });
  }

  /**
   * Calls the hooks in turn.
   *
   * @throws TransitionHookFailedError naming the hook that failed
   */
  async run(tenant: Tenant, step: TenantStep): Promise<void> {
    for (const { name, run } of this.#hooks) {
      try {
        await run(tenant, step);
      } catch (error) {
        throw new TransitionHookFailedError(name, tenant.slug, step, error);
      }
    }
  }
}
