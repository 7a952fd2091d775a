import type { ExecutionContext } from '@nestjs/common';
import { callback } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';
import type { TenantClaim } from '../registry/tenant';

export const TRANSPORTS_OPTIONS = Symbol('TRANSPORTS_OPTIONS');

/**
 * Returns the claim of a message, or `undefined` when the message makes none. An error that it throws fails the
 * message; it does not count as "no claim".
 */
export type MessageTenantReader = (
  context: ExecutionContext,
) => TenantClaim | undefined | Promise<TenantClaim | undefined>;

export class CheckedTransportsOptions {
  /**
   * Reads the tenant of a microservice's message. Default none: messages are refused, unless their handler is marked
   * with `@TenantFree()`. WebSockets do not need it, because the resolvers read their handshake.
   */
  @Option(callback<MessageTenantReader>('give a function of a message'))
  readonly tenantOf?: MessageTenantReader;
}

export type TenancyTransportsOptions = Given<CheckedTransportsOptions>;
