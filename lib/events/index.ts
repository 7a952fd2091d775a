/**
 * What has happened to tenants: recorded, read and followed.
 *
 * @module nestjs-tenancy/events
 */

export { TenancyEventsModule } from './tenancy-events.module';
export { type TenancyEventsExtras, type TenancyEventsOptions } from './events.options';
export { EventTrail } from '../registry/events/event-trail';
export {
  type EventProblem,
  type EventVerification,
  type VerifyOptions,
} from '../registry/events/event-verification';
export { EventFollower } from './event-follower';
export { type EventHandler } from './follower-turn';
export { type FollowAs, type FollowCall, type FollowFrom, type FollowOptions } from './follow.options';
export { OnTenantEvent, type OnTenantEventOptions } from './on-tenant-event.decorator';
export { EventRetention } from './event-retention';
export { EventsHealth, type EventsHealthResult } from './watching/events-health';
export { TenantEventLog, type RecordEventOptions } from './recording/tenant-event-log';
export {
  EventOutboxMissingError,
  EventOutsideTransactionError,
  EventRefusedError,
  FollowerNameTakenError,
  InvalidEventsOptionsError,
} from './events.errors';
export { type EventActor, type TenantEvent } from '../registry/events/tenant-event';
