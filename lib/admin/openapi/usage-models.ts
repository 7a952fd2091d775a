import type { Model } from '../../http/openapi/describe-api';
import { USAGE_FIELDS, USAGE_QUERY } from '../../usage/openapi/models';

/** What an answer about usage looks like. In the code it is an interface, which does not exist at run time. */
export class UsageModel {}

export const USAGE_MODELS: readonly Model[] = [
  { type: UsageModel, name: 'AdminTenantUsage', fields: USAGE_FIELDS },
  USAGE_QUERY,
];
