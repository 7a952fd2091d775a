import { TenancyError } from '../common/tenancy.errors';

/** The embedded PostgreSQL cannot be found, prepared or started. The message contains PostgreSQL's own. */
export class EmbeddedPostgresError extends TenancyError {
  readonly code = 'EMBEDDED_POSTGRES_FAILED';
}

/** Tenants were requested from an application whose registry and template do not exist yet. */
export class TestAppNotReadyError extends TenancyError {
  readonly code = 'TEST_APP_NOT_READY';

  constructor() {
    super(
      'testTenants() was given an application that is not initialised, so its registry and its template do not exist yet. Call ' +
        'await app.init() (or app.listen()) before the first make(): in beforeAll(), after createNestApplication() or createTestingModule().compile().',
    );
  }
}

/** The isolation hammer examined nothing, so it could not find anything. `cause` is the operation's error. */
export class HammerBlindError extends TenancyError {
  readonly code = 'HAMMER_BLIND';

  constructor(what: string, cause?: unknown) {
    super(
      `The isolation hammer saw nothing: ${what}. Correct the operation, and write call.stamp into what it stores.`,
      { cause },
    );
  }
}
