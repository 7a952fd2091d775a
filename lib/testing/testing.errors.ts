import { TenancyError } from '../common/tenancy.errors';

/** The embedded PostgreSQL cannot be found, prepared or started; the message carries what PostgreSQL itself said. */
export class EmbeddedPostgresError extends TenancyError {
  readonly code = 'EMBEDDED_POSTGRES_FAILED';
}

/** Tenants were asked of an application that has no registry and no template yet. */
export class TestAppNotReadyError extends TenancyError {
  readonly code = 'TEST_APP_NOT_READY';

  constructor() {
    super(
      'testTenants() was given an application that is not initialised yet, so there is nothing that tenants could be made of. Call ' +
        'await app.init() (or app.listen()) before the first make(): in beforeAll(), behind createNestApplication() or createTestingModule().compile().',
    );
  }
}

/** The isolation hammer had nothing to look at, so that it found nothing says nothing. `cause` is the operation's error. */
export class HammerBlindError extends TenancyError {
  readonly code = 'HAMMER_BLIND';

  constructor(what: string, cause?: unknown) {
    super(
      `The isolation hammer saw nothing: ${what}. Mend the operation, and write call.mark into what it stores.`,
      { cause },
    );
  }
}
