import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import { type FieldError, TenancyError } from '../common/tenancy.errors';

/** A `ws` connection whose handshake nobody kept, so that its tenant cannot be known. */
export class HandshakeUnknownError extends TenancyError {
  readonly code = 'HANDSHAKE_UNKNOWN';

  constructor() {
    super(
      'The handshake of this connection is not known, so neither is its tenant. The ws adapter gives it to ' +
        'handleConnection(client, request) alone: call TenantHandshakes.accept(client, request) there, before anything else.',
    );
  }
}

/** A microservice's message came in, and nothing says where its tenant is to be read. */
export class MessageTenantReaderError extends TenancyError {
  readonly code = 'MESSAGE_TENANT_READER_INVALID';

  constructor(what: string) {
    super(
      `${what} Give TenancyTransportsModule.forRoot({ tenantOf }) a function that returns ` +
        "{ by: 'slug' | 'id' | 'domain', value: string }, or undefined when the message names no tenant, " +
        'such as fromPayload(); or mark a handler that belongs to nobody with @TenantFree().',
    );
  }
}

/** The module cannot work with these options. Thrown at start. */
export class InvalidTransportsOptionsError extends InvalidOptionsError {
  readonly code = 'TRANSPORTS_OPTIONS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyTransportsModule', problems);
  }
}
