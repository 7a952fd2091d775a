import { SetMetadata } from '@nestjs/common';

export const SECRET_ANSWER = Symbol('SECRET_ANSWER');

/** The answer without what is shown once. */
export type Redaction = (body: unknown) => unknown;

/**
 * The call's answer holds a secret. For who repeats the request it is kept sealed, so that the database alone does not
 * give it away; whoever cannot open it gets it as `redact` leaves it.
 */
export const SecretAnswer = (redact: Redaction) => SetMetadata(SECRET_ANSWER, redact);
