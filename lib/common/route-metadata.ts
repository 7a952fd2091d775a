import type { ExecutionContext } from '@nestjs/common';

/** What a decorator has said of a route: on its handler, or else on the class. */
export function routeMetadata<Value>(key: string | symbol, context: ExecutionContext): Value | undefined {
  const read = (target: object) => Reflect.getMetadata(key, target) as Value | undefined;
  return read(context.getHandler()) ?? read(context.getClass());
}
