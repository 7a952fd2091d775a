import { TenantAuditController } from '../tenant-audit.controller';
import { TenantDomainsController } from '../tenant-domains.controller';
import { TenantsController } from '../tenants.controller';
import {
  AUDIT_CALLS,
  COMMON_ERRORS,
  DOMAIN_CALLS,
  type DocumentedCall,
  PATH_PARAMS,
  REQUEST_HEADERS,
  TENANT_CALLS,
} from './calls';
import { loadSwagger } from './load-swagger';
import { MASTER_KEY_SCHEME } from './master-key-scheme';
import { ErrorModel, MODELS, TenantModel } from './models';

type Swagger = NonNullable<Awaited<ReturnType<typeof loadSwagger>>>;

/** On a controller that has been described: what is added twice would appear twice. */
const DOCUMENTED = Symbol('nestjs-tenancy documented');

/** Describes the admin API to `@nestjs/swagger`, where that is installed, for every document made from now on. */
export async function documentAdminApi(): Promise<void> {
  const swagger = await loadSwagger();
  // Two applications of one process share the classes.
  if (!swagger || Reflect.hasOwnMetadata(DOCUMENTED, TenantsController)) return;
  Reflect.defineMetadata(DOCUMENTED, true, TenantsController);
  describeModels(swagger);
  describeController(swagger, TenantsController, TENANT_CALLS);
  describeController(swagger, TenantDomainsController, DOMAIN_CALLS);
  describeController(swagger, TenantAuditController, AUDIT_CALLS);
}

function describeModels({ ApiProperty, ApiSchema }: Swagger): void {
  for (const { type, name, fields } of MODELS) {
    if (name !== undefined) ApiSchema({ name })(type);
    for (const [field, options] of Object.entries(fields))
      ApiProperty(options)(type.prototype as object, field);
  }
}

function describeController(
  swagger: Swagger,
  controller: { readonly prototype: object },
  calls: Readonly<Record<string, DocumentedCall>>,
): void {
  swagger.ApiTags('Tenancy admin')(controller as never);
  swagger.ApiSecurity(MASTER_KEY_SCHEME)(controller as never);
  for (const [handler, call] of Object.entries(calls)) {
    const descriptor = Object.getOwnPropertyDescriptor(controller.prototype, handler) as PropertyDescriptor;
    for (const decorate of decoratorsOf(swagger, call)) decorate(controller.prototype, handler, descriptor);
  }
}

function decoratorsOf(swagger: Swagger, call: DocumentedCall): MethodDecorator[] {
  const { summary, headers = [], params = [], optionalBody, consumes } = call;
  return [
    swagger.ApiOperation({ summary }),
    ...params.map((name) => swagger.ApiParam({ name, description: PATH_PARAMS[name], type: String })),
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
    ...answersOf(swagger, call),
  ];
}

function answersOf({ ApiResponse }: Swagger, { answers, errors, headers = [] }: DocumentedCall) {
  const isRepeatable = headers.includes('Idempotency-Key');
  const good = Object.entries(answers).map(([status, type]) =>
    ApiResponse({
      status: Number(status),
      type,
      description: type ? 'Done' : Number(status) === 304 ? 'Nothing changed' : 'Purged',
      headers: answerHeaders(type === TenantModel || Number(status) === 304, isRepeatable),
    }),
  );
  const bad = Object.entries({ ...COMMON_ERRORS, ...errors }).map(([status, codes]) =>
    ApiResponse({
      status: Number(status),
      type: ErrorModel,
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
    description: 'true when this is the first answer again',
    schema: { type: 'string' as const },
  },
};

function answerHeaders(isTagged: boolean, isRepeatable: boolean) {
  return {
    ...(isTagged && {
      ETag: { description: 'Of this state of the tenant', schema: { type: 'string' as const } },
    }),
    ...(isRepeatable && { 'Idempotent-Replayed': RETRY_HEADERS['Idempotent-Replayed'] }),
  };
}
