import type { ExecutionContext } from '@nestjs/common';
import type { TenantClaim } from '../registry/tenant';

export const TRANSPORTS_OPTIONS = Symbol('TRANSPORTS_OPTIONS');

/**
 * What a message says about its tenant, or `undefined` when it says nothing. What it throws fails the message: it
 * never counts as "no claim".
 */
export type MessageTenantReader = (
  message: ExecutionContext,
) => TenantClaim | undefined | Promise<TenantClaim | undefined>;

export interface TenancyTransportsOptions {
  /**
   * Where a microservice's message says whom it is for. Default none: messages are refused, unless their handler is
   * marked with `@TenantFree()`. WebSockets do not need it: their handshake is read by the resolvers.
   */
  readonly tenantOf?: MessageTenantReader;
}
