import { KEY_CALLS } from '../../access/openapi/calls';
import { KEY_MODELS, TAGGED_MODELS } from '../../access/openapi/models';
import { optional } from '../../http/openapi/fields';
import { describeApi } from '../../http/openapi/describe-api';
import { MEMBER_CALLS, ROLE_CALLS } from '../../members/openapi/document-members-api';
import { MEMBER_MODELS, MemberModel } from '../../members/openapi/models';
import { INVITATION_CALLS } from '../../members/openapi/invitation-calls';
import { INVITATION_MODELS, TAGGED_INVITATIONS } from '../../members/openapi/invitation-models';
import { DELIVERY_CALLS } from '../../webhooks/openapi/delivery-calls';
import { DELIVERY_MODELS } from '../../webhooks/openapi/delivery-models';
import { WEBHOOK_CALLS } from '../../webhooks/openapi/webhook-calls';
import { ENDPOINT_MODELS, TAGGED_ENDPOINTS } from '../../webhooks/openapi/webhook-models';
import { AdminDeliveriesController } from '../admin-deliveries.controller';
import { AdminWebhooksController } from '../admin-webhooks.controller';
import { ENTER_CALLS, RECOVERY_CALLS } from '../../members/openapi/support-calls';
import { ENTER_MODELS, SUPPORT_MODELS, TAGGED_SESSIONS } from '../../members/openapi/support-models';
import { MigrationsController } from '../migrations.controller';
import { MovesController } from '../moves.controller';
import { RecoveryKeysController, SupportSessionsController } from '../support-sessions.controller';
import { SettingsController } from '../settings.controller';
import { AdminMembersController, AdminRolesController } from '../tenant-members.controllers';
import { TenantApiKeysController } from '../tenant-api-keys.controller';
import { TenantAuditController } from '../tenant-audit.controller';
import { TenantDomainsController } from '../tenant-domains.controller';
import { AdminTenantUsageController } from '../usage.controller';
import { TenantInvitationsOfAdminController } from '../tenant-invitations-of-admin.controller';
import { TenantsController } from '../tenants.controller';
import {
  AUDIT_CALLS,
  COMMON_ERRORS,
  DOMAIN_CALLS,
  MIGRATION_CALLS,
  MOVE_CALLS,
  TENANT_CALLS,
  USAGE_CALLS,
} from './calls';
import {
  EVENT_CALLS,
  EVENT_FILTER,
  EVENT_MODELS,
  EVENT_PAGE_FILTER,
} from '../../events/openapi/event-models';
import { AdminEventsController } from '../admin-events.controller';
import { AdminEventsFilterQuery, AdminEventsQuery } from '../admin-events.dto';
import { MASTER_KEY_SCHEME } from './master-key-scheme';
import { ErrorModel, MODELS, SettingModel, SettingsModel, TenantModel } from './models';
import { SETTING_CALLS } from './setting-calls';
import { USAGE_MODELS } from './usage-models';

const OF_TENANT = {
  tenant: optional({ type: String, description: 'An id, a slug, or `none` for the events of no tenant' }),
};

const EVENT_QUERIES = [
  { type: AdminEventsFilterQuery, fields: { ...EVENT_FILTER, ...OF_TENANT } },
  { type: AdminEventsQuery, fields: { ...EVENT_PAGE_FILTER, ...OF_TENANT } },
];

/** Describes the admin API to `@nestjs/swagger`, if it is installed, for every document made from now on. */
export function documentAdminApi(): void {
  const shared = {
    tag: 'Tenancy admin',
    scheme: MASTER_KEY_SCHEME,
    gone: 'Purged',
    errorModel: ErrorModel,
    commonErrors: COMMON_ERRORS,
  };
  describeApi({
    ...shared,
    params: ['tenant'],
    models: KEY_MODELS,
    tagged: TAGGED_MODELS,
    controllers: [[TenantApiKeysController, KEY_CALLS]],
  });
  describeApi({
    ...shared,
    params: ['tenant'],
    models: INVITATION_MODELS,
    tagged: TAGGED_INVITATIONS,
    controllers: [[TenantInvitationsOfAdminController, INVITATION_CALLS]],
  });
  describeApi({
    ...shared,
    gone: 'Removed',
    params: ['tenant'],
    models: MEMBER_MODELS,
    tagged: [MemberModel],
    controllers: [
      [AdminMembersController, MEMBER_CALLS],
      [AdminRolesController, ROLE_CALLS],
    ],
  });
  describeApi({
    ...shared,
    gone: 'Deleted',
    params: ['tenant'],
    models: [...ENDPOINT_MODELS, ...DELIVERY_MODELS],
    tagged: TAGGED_ENDPOINTS,
    controllers: [
      [AdminWebhooksController, WEBHOOK_CALLS],
      [AdminDeliveriesController, DELIVERY_CALLS],
    ],
  });
  describeApi({
    ...shared,
    gone: 'Revoked',
    params: ['tenant'],
    models: [...SUPPORT_MODELS, ...ENTER_MODELS],
    tagged: TAGGED_SESSIONS,
    controllers: [
      [SupportSessionsController, ENTER_CALLS],
      [RecoveryKeysController, RECOVERY_CALLS],
    ],
  });
  describeApi({
    ...shared,
    models: [...MODELS, ...USAGE_MODELS, ...EVENT_MODELS, ...EVENT_QUERIES],
    tagged: [TenantModel, SettingModel, SettingsModel],
    controllers: [
      [TenantsController, TENANT_CALLS],
      [TenantDomainsController, DOMAIN_CALLS],
      [TenantAuditController, AUDIT_CALLS],
      [AdminEventsController, EVENT_CALLS],
      [MigrationsController, MIGRATION_CALLS],
      [MovesController, MOVE_CALLS],
      [AdminTenantUsageController, USAGE_CALLS],
      [SettingsController, SETTING_CALLS],
    ],
  });
}
