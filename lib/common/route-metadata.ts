import type { ExecutionContext } from '@nestjs/common';

/** What a decorator has said of a route: on its handler, or else on the class. */
export function routeMetadata<Value>(key: string | symbol, context: ExecutionContext): Value | undefined {
  const read = (target: object) => Reflect.getMetadata(key, target) as Value | undefined;
  return read(context.getHandler()) ?? read(context.getClass());
}

/**
 * The same for what each request asks: read once of each route, since metadata stays as a start has left it. Belongs to
 * one instance of a guard.
 */
export class RouteMetadata<Value> {
  /** By handler, and then by class, since a class inherits handlers. */
  readonly #known = new WeakMap<object, WeakMap<object, Value>>();

  /** `standard`: what counts where no decorator says anything. */
  constructor(
    private readonly key: string | symbol,
    private readonly standard: NonNullable<Value>,
  ) {}

  of(context: ExecutionContext): Value {
    const [handler, ofClass] = [context.getHandler(), context.getClass()];
    const ofHandler = this.#known.get(handler) ?? new WeakMap<object, Value>();
    const known = ofHandler.get(ofClass);
    if (known !== undefined) return known;
    const value = routeMetadata<Value>(this.key, context) ?? this.standard;
    this.#known.set(handler, ofHandler.set(ofClass, value));
    return value;
  }
}
