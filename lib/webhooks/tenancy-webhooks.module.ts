import { ConfigurableModuleBuilder, Global, Module, type Type } from '@nestjs/common';
import { checkedProviders } from '../common/module-check';
import { optionsProvider } from '../common/options/options-provider';
import { TenancyEventsModule } from '../events/tenancy-events.module';
import { BringsTables } from '../registry/registry-migrations';
import { TENANCY } from '../tenancy.module';
import { WebhookClient } from './client/webhook-client';
import { DeliveryMeter } from './deliveries/delivery-meter';
import { DeliveryRows } from './deliveries/delivery-rows';
import { DeliverySweeper } from './deliveries/delivery-sweeper';
import { DeliveryWorker } from './deliveries/delivery-worker';
import { WebhookDeliveries } from './deliveries/webhook-deliveries';
import { SignedWebhookSender } from './deliveries/signed-webhook-sender';
import { WebhookDisabling } from './deliveries/webhook-disabling';
import { WebhookFanOut } from './deliveries/webhook-fan-out';
import { WebhookLanes } from './deliveries/webhook-lanes';
import { WebhooksHealth } from './deliveries/webhooks-health';
import { WebhooksMetrics } from './deliveries/webhooks-metrics';
import { WebhookSender } from './deliveries/webhook-sender';
import { CreateWebhooks1763601800000 } from './migrations/1763601800000-create-webhooks';
import { WebhookSecrets } from './secrets/webhook-secrets';
import { InvalidWebhooksOptionsError } from './webhooks.errors';
import { CheckedWebhooksOptions, type TenancyWebhooksOptions, WEBHOOKS_OPTIONS } from './webhooks.options';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<TenancyWebhooksOptions>().setClassMethodName('forRoot').build();

/** Tells tenants of their events by webhooks. Import it once, beside `TenancyModule`. */
@BringsTables(CreateWebhooks1763601800000)
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
    ],
  ),
  exports: [WebhookDeliveries, WebhooksHealth, WebhookSecrets],
})
export class TenancyWebhooksModule extends ConfigurableModuleClass {}
