import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { arrivalOf } from '../context/handler-call';
import { TenantContext } from '../context/tenant-context';
import { REQUIRED_FEATURES } from './required-features';
import { FeatureOffError } from './settings.errors';
import { TenantSettings } from './tenant-settings';

/** Admits a tenant to routes whose features it has. */
@Injectable()
export class FeatureGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly settings: TenantSettings,
    private readonly context: TenantContext,
  ) {}

  /**
   * @throws FeatureOffError when a required feature is off
   * @throws TenancyUnavailableError when the registry cannot be reached
   * @throws TransportUnknownError when the call came by an unknown transport
   */
  canActivate(context: ExecutionContext): true | Promise<true> {
    arrivalOf(context);
    const features = this.reflector.getAllAndMerge<readonly string[]>(REQUIRED_FEATURES, [
      context.getHandler(),
      context.getClass(),
    ]);
    // With cached settings the answer is known without waiting.
    const isKnown = features.every((feature) => this.#isOn(feature, true) === true);
    return isKnown || this.#askFor(features);
  }

  async #askFor(features: readonly string[]): Promise<true> {
    for (const feature of features)
      if (!(await this.#isOn(feature, false))) throw new FeatureOffError(feature);
    return true;
  }

  #isOn(feature: string, atOnce: boolean): unknown {
    const tenant = this.context.find();
    if (!tenant) throw new FeatureOffError(feature);
    return atOnce ? this.settings.remembered(feature, tenant) : this.settings.get(feature, tenant);
  }
}
