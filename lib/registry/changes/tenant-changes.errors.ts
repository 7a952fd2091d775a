import { TenancyError } from '../../common/tenancy.errors';

/** LISTEN was accepted, but what was notified did not arrive. Never thrown at a caller: it ends up in the log. */
export class ChangesNotHeardError extends TenancyError {
  readonly code = 'TENANT_CHANGES_NOT_HEARD';

  constructor() {
    super(
      'PostgreSQL accepted LISTEN, but a notification did not arrive. A pooler that shares sessions drops them; so does a ' +
        'broken line; and a directUrl of another database never gets them. Set database.directUrl (TENANCY_DIRECT_URL) ' +
        "to a URL that leads to the registry's own database, around the pooler.",
    );
  }
}
