import type { ExecutionContext } from '@nestjs/common';
import { callback } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';
import type { TenantClaim } from '../registry/tenant';

export const TRANSPORTS_OPTIONS = Symbol('TRANSPORTS_OPTIONS');

/**
 * What a message says about its tenant, or `undefined` when it says nothing. What it throws fails the message: it
 * never counts as "no claim".
 */
export type MessageTenantReader = (
  message: ExecutionContext,
) => TenantClaim | undefined | Promise<TenantClaim | undefined>;

export class CheckedTransportsOptions {
  /**
   * Where a microservice's message says whom it is for. Default none: messages are refused, unless their handler is
   * marked with `@TenantFree()`. WebSockets do not need it: their handshake is read by the resolvers.
   */
  @Option(callback<MessageTenantReader>('give a function of a message'))
  readonly tenantOf?: MessageTenantReader;
}

export type TenancyTransportsOptions = Given<CheckedTransportsOptions>;
