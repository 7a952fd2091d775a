import {
  ConfigurableModuleBuilder,
  type DynamicModule,
  Global,
  Module,
  type NestModule,
  type Provider,
  type Type,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { checkedProviders } from '../common/module-check';
import { givenExtras, optionsProvider } from '../common/options/options-provider';
import { API_PATHS, FastifyBodyFilter, readBodies } from '../http/read-bodies';
import { IdempotencyKeys } from '../http/idempotency-keys';
import { AccessGuard } from './access.guard';
import { InvalidAccessOptionsError } from './access.errors';
import {
  ACCESS_OPTIONS,
  CheckedAccessExtras,
  CheckedAccessOptions,
  type TenancyAccessExtras,
  type TenancyAccessOptions,
} from './access.options';
import { ApiKeyAuthentication } from './api-key-authentication';
import { ApiKeyRows } from './api-key-rows';
import { ApiKeyUses } from './api-key-uses';
import { ApiKeys } from './api-keys';
import { CredentialsCheck, MAKES_KEYS } from './credentials-check';
import { MeController } from './me.controller';
import { BringsTables } from '../registry/registry-migrations';
import { TENANCY } from '../tenancy.module';
import { CreateIdempotencyKeys1763600210000 } from '../http/migrations/1763600210000-create-idempotency-keys';
import { CreateTenantApiKeys1763600500000 } from './migrations/1763600500000-create-tenant-api-keys';
import { documentAccessApi } from './openapi/document-access-api';
import { TenantKeysController } from './tenant-keys.controller';

const OPENAPI = Symbol('OPENAPI');
const PATHS = /\/tenant\/keys(?:[/?]|$)/i;

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<TenancyAccessOptions>()
    .setClassMethodName('forRoot')
    .setExtras<TenancyAccessExtras>(new CheckedAccessExtras(), (definition, extras) => ({
      ...definition,
      providers: [
        ...(definition.providers ?? []),
        givenExtras(extras),
        { provide: MAKES_KEYS, useValue: extras.routes },
      ],
      controllers: extras.routes ? [MeController, TenantKeysController] : [],
    }))
    .build();

const providers: Provider[] = checkedProviders(
  (): Type => TenancyAccessModule,
  MODULE_OPTIONS_TOKEN,
  () => [TENANCY],
  [
    optionsProvider({
      provide: ACCESS_OPTIONS,
      given: MODULE_OPTIONS_TOKEN,
      declared: CheckedAccessOptions,
      Refusal: InvalidAccessOptionsError,
      extras: CheckedAccessExtras,
    }),
    CredentialsCheck,
    ApiKeyRows,
    ApiKeyUses,
    ApiKeyAuthentication,
    ApiKeys,
    AccessGuard,
    IdempotencyKeys,
    FastifyBodyFilter,
    { provide: API_PATHS, useValue: PATHS },
    // Done while Nest makes the providers, so before any document can be created.
    { provide: OPENAPI, useFactory: documentAccessApi },
  ],
);

/**
 * API keys and principals. With this module every HTTP route needs a credential, unless it is `@Public()`. Import it
 * once, beside `TenancyModule`, and put `fromApiKey()` among the resolvers there.
 */
@BringsTables(CreateTenantApiKeys1763600500000, CreateIdempotencyKeys1763600210000)
@Global()
@Module({ providers, exports: [ApiKeys, ApiKeyAuthentication, ApiKeyUses, ACCESS_OPTIONS] })
export class TenancyAccessModule extends ConfigurableModuleClass implements NestModule {
  constructor(private readonly adapterHost: HttpAdapterHost) {
    super();
  }

  /** @throws InvalidAccessOptionsError when the application starts with options that it cannot work with */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  /** Like `forRoot`, with options from a factory, a class or another module. */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return super.forRootAsync(options);
  }

  configure(): void {
    readBodies(this.adapterHost, PATHS);
  }
}
