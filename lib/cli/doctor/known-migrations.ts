import { CreateTenantApiKeys1763600500000 } from '../../access/migrations/1763600500000-create-tenant-api-keys';
import { CreateMasterKeyUses1763600510000 } from '../../admin/migrations/1763600510000-create-master-key-uses';
import { CreateIdempotencyKeys1763600210000 } from '../../http/migrations/1763600210000-create-idempotency-keys';
import { CreateInvitations1763601660000 } from '../../members/migrations/1763601660000-create-invitations';
import { CreateSupportAccess1763601670000 } from '../../members/migrations/1763601670000-create-support-access';
import { CreateTenantMembers1763601650000 } from '../../members/migrations/1763601650000-create-tenant-members';
import { CORE_MIGRATIONS, type RegistryMigration } from '../../registry/registry-migrations';
import { CreateEventFollowers1763601700000 } from '../../events/migrations/1763601700000-create-event-followers';
import { CreateTimers1763601400000 } from '../../schedule/migrations/1763601400000-create-timers';
import { CreateTenantSettings1763600800000 } from '../../settings/migrations/1763600800000-create-tenant-settings';
import { CreateUsage1763600900000 } from '../../usage/migrations/1763600900000-create-usage';
import { CreateWebhooks1763601800000 } from '../../webhooks/migrations/1763601800000-create-webhooks';

/** All migrations of the registry in this version of the package, whichever modules an application imports. */
export const KNOWN_MIGRATIONS: readonly RegistryMigration[] = [
  ...CORE_MIGRATIONS,
  CreateIdempotencyKeys1763600210000,
  CreateTenantApiKeys1763600500000,
  CreateMasterKeyUses1763600510000,
  CreateTenantSettings1763600800000,
  CreateUsage1763600900000,
  CreateTimers1763601400000,
  CreateTenantMembers1763601650000,
  CreateInvitations1763601660000,
  CreateSupportAccess1763601670000,
  CreateEventFollowers1763601700000,
  CreateWebhooks1763601800000,
];
