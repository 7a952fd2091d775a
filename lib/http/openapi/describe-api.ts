import type { Type } from '@nestjs/common';
import { type DocumentedCall, PATH_PARAMS, REQUEST_HEADERS } from './documented-call';
import { loadSwagger } from './load-swagger';

type Swagger = NonNullable<ReturnType<typeof loadSwagger>>;

/** A class, its name in the document, and its fields in the form that `ApiProperty` takes. */
export interface Model {
  readonly type: Type;
  /** Left out for queries, whose fields become parameters. */
  readonly name?: string;
  readonly fields: Readonly<Record<string, object>>;
}

export interface ApiDescription {
  readonly tag: string;
  /** The name of the security scheme. Left out where the application decides who may call. */
  readonly scheme?: string;
  /** Path parameters that all calls have, in addition to their own. */
  readonly params?: readonly (keyof typeof PATH_PARAMS)[];
  readonly models: readonly Model[];
  /** Answers that have an `ETag`. */
  readonly tagged: readonly Type[];
  /** The description of an answer without a body. */
  readonly gone: string;
  readonly errorModel: Type;
  /** Error codes of every call, by status. */
  readonly commonErrors: Readonly<Record<number, string>>;
  /** Controllers, and their calls by the names of their handlers. */
  readonly controllers: readonly (readonly [
    controller: { readonly prototype: object },
    calls: Readonly<Record<string, DocumentedCall>>,
  ])[];
}

/** Marks a controller that has been described, because descriptions that are added twice appear twice. */
const DOCUMENTED = Symbol('nestjs-tenancy documented');

/** Describes an API to `@nestjs/swagger`, if it is installed, for every document made from now on. */
export function describeApi(api: ApiDescription): void {
  const swagger = loadSwagger();
  const [[first]] = api.controllers;
  // Two applications in one process share the classes.
  if (!swagger || Reflect.hasOwnMetadata(DOCUMENTED, first)) return;
  Reflect.defineMetadata(DOCUMENTED, true, first);
  describeModels(swagger, api.models);
  for (const each of api.controllers) describeController(swagger, api, each);
}

function describeModels({ ApiProperty, ApiSchema }: Swagger, models: readonly Model[]): void {
  for (const { type, name, fields } of models) {
    if (name !== undefined) ApiSchema({ name })(type);
    for (const [field, options] of Object.entries(fields))
      ApiProperty(options)(type.prototype as object, field);
  }
}

function describeController(
  swagger: Swagger,
  api: ApiDescription,
  [controller, calls]: ApiDescription['controllers'][number],
): void {
  swagger.ApiTags(api.tag)(controller as never);
  if (api.scheme !== undefined) swagger.ApiSecurity(api.scheme)(controller as never);
  for (const [handler, call] of Object.entries(calls)) {
    const descriptor = ownHandler(controller.prototype, handler);
    for (const decorate of decoratorsOf(swagger, api, call))
      decorate(controller.prototype, handler, descriptor);
  }
}

/**
 * The descriptor of a handler. An inherited handler is first copied to the controller, so that its description does not
 * apply to other controllers that inherit it.
 */
function ownHandler(prototype: object, handler: string): PropertyDescriptor {
  const own = Object.getOwnPropertyDescriptor(prototype, handler);
  if (own) return own;
  const inherited = (prototype as Record<string, (...values: unknown[]) => unknown>)[handler];
  const value = {
    [handler]: function (this: unknown, ...values: unknown[]) {
      return inherited.apply(this, values);
    },
  }[handler];
  for (const key of Reflect.getMetadataKeys(inherited) as unknown[])
    Reflect.defineMetadata(key, Reflect.getMetadata(key, inherited), value);
  Object.defineProperty(prototype, handler, { value, writable: true, configurable: true });
  return Object.getOwnPropertyDescriptor(prototype, handler) as PropertyDescriptor;
}

function decoratorsOf(swagger: Swagger, api: ApiDescription, call: DocumentedCall): MethodDecorator[] {
  const { summary, headers = [], params = [], optionalBody, consumes } = call;
  return [
    swagger.ApiOperation({ summary }),
    ...[...(api.params ?? []), ...params].map((name) =>
      swagger.ApiParam({ name, description: PATH_PARAMS[name], type: String }),
    ),
    ...headers.map((name) =>
      swagger.ApiHeader({
        name,
        description: REQUEST_HEADERS[name],
        required: false,
        schema: { type: 'string' },
      }),
    ),
    ...(optionalBody ? [swagger.ApiBody({ type: optionalBody, required: false })] : []),
    ...(consumes ? [swagger.ApiConsumes(...consumes)] : []),
    ...answersOf(swagger, api, call),
  ];
}

function answersOf(
  { ApiResponse }: Swagger,
  { tagged, errorModel, commonErrors, gone }: ApiDescription,
  { answers, errors, headers = [] }: DocumentedCall,
) {
  const isRepeatable = headers.includes('Idempotency-Key');
  const good = Object.entries(answers).map(([status, type]) =>
    ApiResponse({
      status: Number(status),
      type,
      description: type ? 'Done' : Number(status) === 304 ? 'Nothing changed' : gone,
      headers: answerHeaders((type && tagged.includes(type)) || Number(status) === 304, isRepeatable),
    }),
  );
  const bad = Object.entries({ ...commonErrors, ...errors }).map(([status, codes]) =>
    ApiResponse({
      status: Number(status),
      type: errorModel,
      description: codes,
      headers: Number(status) === 409 && isRepeatable ? RETRY_HEADERS : undefined,
    }),
  );
  return [...good, ...bad];
}

const RETRY_HEADERS = {
  'Retry-After': {
    description: 'Seconds. With IDEMPOTENCY_IN_PROGRESS',
    schema: { type: 'integer' as const },
  },
  'Idempotent-Replayed': {
    description: 'true when the first answer is sent again',
    schema: { type: 'string' as const },
  },
};

function answerHeaders(isTagged: boolean | undefined, isRepeatable: boolean) {
  return {
    ...(isTagged && {
      ETag: { description: 'Tag of this state', schema: { type: 'string' as const } },
    }),
    ...(isRepeatable && { 'Idempotent-Replayed': RETRY_HEADERS['Idempotent-Replayed'] }),
  };
}
