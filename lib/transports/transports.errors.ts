import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import { type FieldError, TenancyError } from '../common/tenancy.errors';

/** The handshake of a `ws` connection was not kept, so its tenant is unknown. */
export class HandshakeUnknownError extends TenancyError {
  readonly code = 'HANDSHAKE_UNKNOWN';

  constructor() {
    super(
      'The handshake of this connection is unknown, and so is its tenant. The ws adapter passes it only to ' +
        'handleConnection(client, request): call TenantHandshakes.accept(client, request) there, before anything else.',
    );
  }
}

/** A microservice's message came, but no option says how to read its tenant. */
export class MessageTenantReaderError extends TenancyError {
  readonly code = 'MESSAGE_TENANT_READER_INVALID';

  constructor(what: string) {
    super(
      `${what} Give TenancyTransportsModule.forRoot({ tenantOf }) a function that returns ` +
        "{ by: 'slug' | 'id' | 'domain', value: string }, or undefined when the message names no tenant, " +
        'such as fromPayload(); or mark a handler that needs no tenant with @TenantFree().',
    );
  }
}

/** The module cannot work with these options. Thrown at the start. */
export class InvalidTransportsOptionsError extends InvalidOptionsError {
  readonly code = 'TRANSPORTS_OPTIONS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyTransportsModule', problems);
  }
}
