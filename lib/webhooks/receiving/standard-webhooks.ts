import { loadPackage } from '../../common/absent-package';

/** The reference library of the Standard Webhooks specification. */
export const { Webhook, WebhookVerificationError }: typeof import('standardwebhooks') = loadPackage(
  'standardwebhooks',
  'nestjs-tenancy/webhooks',
  () => require('standardwebhooks'),
);
