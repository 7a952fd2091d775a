import {
  ConfigurableModuleBuilder,
  type DynamicModule,
  Global,
  Module,
  type NestModule,
  type Type,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { checkedProviders } from '../common/module-check';
import { givenExtras, optionsProvider } from '../common/options/options-provider';
import { TenancyEventsModule } from '../events/tenancy-events.module';
import { IdempotencyKeys } from '../http/idempotency-keys';
import { CreateIdempotencyKeys1763600210000 } from '../http/migrations/1763600210000-create-idempotency-keys';
import { API_PATHS, FastifyBodyFilter, readBodies } from '../http/read-bodies';
import { BringsTables } from '../registry/registry-migrations';
import { TENANCY } from '../tenancy.module';
import { WebhookClient } from './client/webhook-client';
import { DeliveryMeter } from './deliveries/delivery-meter';
import { DeliveryRows } from './deliveries/delivery-rows';
import { DeliverySweeper } from './deliveries/delivery-sweeper';
import { DeliveryWorker } from './deliveries/delivery-worker';
import { TenantDeliveriesController } from './deliveries/tenant-deliveries.controller';
import { WebhookDeliveries } from './deliveries/webhook-deliveries';
import { SignedWebhookSender } from './deliveries/signed-webhook-sender';
import { WebhookDisabling } from './deliveries/webhook-disabling';
import { WebhookFanOut } from './deliveries/webhook-fan-out';
import { WebhookLanes } from './deliveries/webhook-lanes';
import { WebhooksHealth } from './deliveries/webhooks-health';
import { WebhooksMetrics } from './deliveries/webhooks-metrics';
import { WebhookSender } from './deliveries/webhook-sender';
import { EndpointRows } from './endpoints/endpoint-rows';
import { TenantWebhooksController } from './endpoints/tenant-webhooks.controller';
import { WebhookEndpoints } from './endpoints/webhook-endpoints';
import { CreateWebhooks1763601800000 } from './migrations/1763601800000-create-webhooks';
import { documentWebhooksApi } from './openapi/document-webhooks-api';
import { WebhookSecrets } from './secrets/webhook-secrets';
import { InvalidWebhooksOptionsError } from './webhooks.errors';
import {
  CheckedWebhooksExtras,
  CheckedWebhooksOptions,
  type TenancyWebhooksExtras,
  type TenancyWebhooksOptions,
  WEBHOOKS_OPTIONS,
} from './webhooks.options';

const OPENAPI = Symbol('OPENAPI');
const PATHS = /\/tenant\/webhooks(?:[/?]|$)/i;

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<TenancyWebhooksOptions>()
    .setClassMethodName('forRoot')
    .setExtras<TenancyWebhooksExtras>(new CheckedWebhooksExtras(), (definition, extras) => ({
      ...definition,
      providers: [...(definition.providers ?? []), givenExtras(extras)],
      controllers: extras.routes ? [TenantWebhooksController, TenantDeliveriesController] : [],
    }))
    .build();

/** Tells tenants of their events by webhooks. Import it once, beside `TenancyModule`. */
@BringsTables(CreateWebhooks1763601800000, CreateIdempotencyKeys1763600210000)
@Global()
@Module({
  providers: checkedProviders(
    (): Type => TenancyWebhooksModule,
    MODULE_OPTIONS_TOKEN,
    () => [TENANCY, { module: TenancyEventsModule }],
    [
      optionsProvider({
        provide: WEBHOOKS_OPTIONS,
        given: MODULE_OPTIONS_TOKEN,
        declared: CheckedWebhooksOptions,
        Refusal: InvalidWebhooksOptionsError,
        extras: CheckedWebhooksExtras,
      }),
      DeliveryMeter,
      DeliveryRows,
      DeliverySweeper,
      DeliveryWorker,
      WebhookDeliveries,
      WebhookDisabling,
      WebhookFanOut,
      WebhookLanes,
      WebhooksHealth,
      WebhooksMetrics,
      WebhookClient,
      WebhookSecrets,
      { provide: WebhookSender, useClass: SignedWebhookSender },
      EndpointRows,
      WebhookEndpoints,
      IdempotencyKeys,
      FastifyBodyFilter,
      { provide: API_PATHS, useValue: PATHS },
      // Done while Nest makes the providers, so before any document can be created.
      { provide: OPENAPI, useFactory: documentWebhooksApi },
    ],
  ),
  exports: [WebhookDeliveries, WebhookEndpoints, WebhooksHealth, WebhookSecrets],
})
export class TenancyWebhooksModule extends ConfigurableModuleClass implements NestModule {
  constructor(private readonly adapterHost: HttpAdapterHost) {
    super();
  }

  /** @throws InvalidWebhooksOptionsError when the application starts with options that it cannot work with */
  static override forRoot(options: typeof OPTIONS_TYPE): DynamicModule {
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
