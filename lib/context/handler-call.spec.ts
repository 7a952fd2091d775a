import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
  SetMetadata,
  type Type,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AccessGuard } from '../access/access.guard';
import { Public } from '../access/index';
import { TenantTransactionInterceptor } from '../connection/typeorm/tenant-transaction.interceptor';
import { TenantSpanGuard } from '../observability/tenant-span.guard';
import { TenantFree } from '../resolution/http/tenant-route.decorator';
import { TenantGuard } from '../resolution/http/tenant.guard';
import { FeatureGuard } from '../settings/feature.guard';
import { TenantThrottlerGuard } from '../throttling/tenant-throttler.guard';
import { TenantInterceptor } from '../transports/tenant.interceptor';
import { Metered } from '../usage/index';
import { arrivalOf, graphqlRequestOf, RouteMetadata } from './handler-call';

class Bot {
  answer(): void {}

  @TenantFree()
  @Public()
  greet(): void {}
}

const request = { headers: { 'x-tenant-id': 'acme' } };

function contextOf(type: string, args: unknown[] = [request], handler: 'answer' | 'greet' = 'answer') {
  return {
    getType: () => type,
    getArgs: () => args,
    getArgByIndex: (index: number) => args[index],
    getClass: () => Bot,
    getHandler: () => Bot.prototype[handler],
    switchToHttp: () => ({ getRequest: () => args[0], getResponse: () => args[1] }),
  } as unknown as ExecutionContext;
}

/** What a GraphQL server gives a resolver of an operation. */
const infoOf = (operation: string) => ({
  fieldName: 'orders',
  schema: {},
  fragments: {},
  operation: { operation },
});

const operation = (name: string, context: object = { req: request }) =>
  contextOf('graphql', [undefined, { operation: 'x' }, context, infoOf(name)]);

describe('arrivalOf()', () => {
  it.each(['http', 'ws', 'rpc'])('knows %s', (type) => {
    expect(arrivalOf(contextOf(type))).toBe(type);
  });

  it.each(['query', 'mutation'])('takes a %s of GraphQL for HTTP', (name) => {
    expect(arrivalOf(operation(name))).toBe('http');
  });

  it.each([
    ['a subscription', operation('subscription')],
    ['a GraphQL server that gives no info', contextOf('graphql', [undefined, {}, { req: request }])],
    ['another kind', contextOf('telegraf')],
    ['no kind', contextOf('')],
  ])('refuses %s', (_what, context) => {
    expect(() => arrivalOf(context)).toThrow(expect.objectContaining({ code: 'TRANSPORT_UNKNOWN' }));
    expect(() => arrivalOf(context)).toThrow('Bot.answer()');
  });
});

describe('graphqlRequestOf()', () => {
  it.each<[string, unknown[]]>([
    ['a field', [{}, {}, { req: request }, infoOf('query')]],
    ['a reference of a federation', [{}, { req: request }, infoOf('query')]],
    ['a type of a union', [{}, { req: request }, infoOf('query'), {}]],
  ])('finds it in what a resolver of %s is given', (_what, args) => {
    expect(graphqlRequestOf(contextOf('graphql', args))).toBe(request);
  });

  it('believes the reply of Mercurius more than what a shared context says', () => {
    const context = operation('query', { req: { of: 'another' }, reply: { request } });
    expect(graphqlRequestOf(context)).toBe(request);
  });

  it('finds none where there is none', () => {
    for (const context of [{}, { req: null }, { req: 'text' }])
      expect(graphqlRequestOf(operation('query', context) as ArgumentsHost)).toBeUndefined();
  });
});

describe('each of our guards and interceptors', () => {
  const reflector = new Reflector();
  const config = { getGlobalGuards: () => [] };
  const tenant = { find: () => undefined };
  const make = <Part>(part: new (...parts: never[]) => Part, ...parts: unknown[]): Part =>
    new part(...(parts as never[]));

  @Metered('calls')
  class Counted {}
  const [Meter] = Reflect.getMetadata('__interceptors__', Counted) as (new (
    ...parts: unknown[]
  ) => NestInterceptor)[];

  const guards: CanActivate[] = [
    make(TenantGuard, reflector),
    make(AccessGuard, config, reflector, {}),
    make(TenantThrottlerGuard, {}, reflector, {}, {}),
    make(TenantSpanGuard, { getActiveSpan: () => undefined }, reflector),
    make(FeatureGuard, reflector, {}, tenant),
  ];
  const interceptors: NestInterceptor[] = [
    make(TenantTransactionInterceptor, {}, reflector),
    make(TenantInterceptor, reflector, tenant, {}, {}),
    new Meter({}, tenant),
  ];
  const nobody: CallHandler = {
    handle: () => {
      throw new Error('the handler was reached');
    },
  };
  const unknown = [
    contextOf('telegraf'),
    operation('subscription'),
    contextOf('graphql', [undefined, {}, {}]),
  ];

  it.each(guards.map((guard) => [guard.constructor.name, guard] as const))(
    'refuses a kind that it does not know: %s',
    async (_name, guard) => {
      for (const context of unknown)
        await expect((async () => guard.canActivate(context))()).rejects.toMatchObject({
          code: 'TRANSPORT_UNKNOWN',
        });
    },
  );

  it.each(interceptors.map((each) => [each.constructor.name, each] as const))(
    'refuses a kind that it does not know: %s',
    async (_name, interceptor) => {
      for (const context of unknown)
        await expect((async () => interceptor.intercept(context, nobody))()).rejects.toMatchObject({
          code: 'TRANSPORT_UNKNOWN',
        });
    },
  );

  it('lets such a handler work that says it needs no tenant and no credential', async () => {
    for (const guard of guards.slice(0, 4))
      await expect((async () => guard.canActivate(contextOf('telegraf', [], 'greet')))()).resolves.toBe(true);
  });
});

describe('RouteMetadata', () => {
  const Marked = (mark: string) => SetMetadata('mark', mark);

  class Base {
    plain(): void {}

    @Marked('handler')
    marked(): void {}
  }

  @Marked('class')
  class Sub extends Base {}

  class Other extends Base {}

  const routeOf = (type: Type<Base>, handler: () => void) =>
    ({ getClass: () => type, getHandler: () => handler }) as unknown as ExecutionContext;

  const { plain, marked } = Base.prototype;
  const marks = new RouteMetadata<string>('mark', 'none');

  it.each(['at first', 'again'])(
    'tells %s what is on the handler, or else on the class that inherits it',
    () => {
      expect(marks.of(routeOf(Sub, plain))).toBe('class');
      expect(marks.of(routeOf(Other, plain))).toBe('none');
      expect(marks.of(routeOf(Sub, marked))).toBe('handler');
      expect(marks.of(routeOf(Other, marked))).toBe('handler');
    },
  );

  it('reads a route once, whatever it says', () => {
    const [said, silent] = [routeOf(Sub, plain), routeOf(Other, plain)];
    const own = new RouteMetadata<string>('mark', 'none');
    own.of(said);
    own.of(silent);
    const read = jest.spyOn(Reflect, 'getMetadata');
    expect([own.of(said), own.of(silent)]).toEqual(['class', 'none']);
    expect(read).not.toHaveBeenCalled();
    read.mockRestore();
  });
});
