import type { Type } from '@nestjs/common';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper';

/** The class of a provider: of a factory or a value, that of what it gives. `undefined` for what is of no class. */
export function providerClass({ metatype, inject, instance }: InstanceWrapper): Type | undefined {
  const isClass = typeof metatype === 'function' && !inject;
  return (isClass ? metatype : (instance as object | undefined)?.constructor) as Type | undefined;
}
