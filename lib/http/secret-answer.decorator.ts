import { SetMetadata } from '@nestjs/common';

export const SECRET_ANSWER = Symbol('SECRET_ANSWER');

/** Returns the answer without the secret that is shown once. */
export type Redaction = (body: unknown) => unknown;

/**
 * Marks a call whose answer contains a secret. For repeated requests the answer is stored sealed, so that the database
 * alone does not reveal it. A caller who cannot open it gets the answer as `redact` returns it.
 */
export const SecretAnswer = (redact: Redaction) => SetMetadata(SECRET_ANSWER, redact);
