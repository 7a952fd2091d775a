import { defineSettings, feature, setting } from 'nestjs-tenancy/settings';

/** What the operator switches for one tenant, and the tenant may see. */
export const SETTINGS = defineSettings({
  exports: feature({ tenant: 'read' }),
  currency: setting({
    default: 'EUR',
    validate: (currency) => /^[A-Z]{3}$/.test(currency) || 'must be three letters, as in EUR',
    tenant: 'read',
  }),
});
