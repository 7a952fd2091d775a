import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import type { FieldError } from '../common/tenancy.errors';
import { DeclaredSettings } from './declared-settings';
import { InvalidSettingsError } from './settings.errors';

export const REQUIRED_FEATURES = 'nestjs-tenancy:features';

/**
 * Checks at the start that the features required by routes exist. A misspelled feature would be off for every tenant.
 */
@Injectable()
export class RequiredFeatures implements OnModuleInit {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly reflector: Reflector,
    private readonly declared: DeclaredSettings,
  ) {}

  /** @throws InvalidSettingsError naming each feature that was not declared */
  onModuleInit(): void {
    const problems = this.discovery.getControllers().flatMap(({ metatype }) => {
      if (!metatype) return [];
      const prototype = metatype.prototype as Record<string, () => unknown>;
      const methods = this.scanner.getAllMethodNames(prototype);
      return [
        ...this.#problems(metatype as () => unknown, metatype.name),
        ...methods.flatMap((name) => this.#problems(prototype[name], `${metatype.name}.${name}()`)),
      ];
    });
    if (problems.length > 0) throw new InvalidSettingsError(problems);
  }

  #problems(target: () => unknown, name: string): FieldError[] {
    const features = this.reflector.get<readonly string[] | undefined>(REQUIRED_FEATURES, target);
    return (features ?? [])
      .filter((key) => !this.declared.find(key)?.isFeature)
      .map((key) => ({
        field: name,
        message: `requires "${key}", which is not declared with feature()`,
      }));
  }
}
