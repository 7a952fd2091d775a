import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { arrivalOf } from '../common/arrival';
import { TenantContext } from '../context/tenant-context';
import { REQUIRED_FEATURES } from './required-features';
import { FeatureOffError } from './settings.errors';
import { TenantSettings } from './tenant-settings';

/** Lets a tenant reach what it has the features for. */
@Injectable()
export class FeatureGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly settings: TenantSettings,
    private readonly context: TenantContext,
  ) {}

  /** @throws FeatureOffError, TenancyUnavailableError, TransportUnknownError */
  canActivate(context: ExecutionContext): true | Promise<true> {
    arrivalOf(context);
    const features = this.reflector.getAllAndMerge<readonly string[]>(REQUIRED_FEATURES, [
      context.getHandler(),
      context.getClass(),
    ]);
    // What is remembered is looked at without giving up the turn.
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
