import { TenancyError } from '../common/tenancy.errors';

/** The embedded PostgreSQL cannot be found, prepared or started; the message carries what PostgreSQL itself said. */
export class EmbeddedPostgresError extends TenancyError {
  readonly code = 'EMBEDDED_POSTGRES_FAILED';
}
