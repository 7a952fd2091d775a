import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { ApiRequest } from './api-request';

/** What was answered: enough to answer so again. */
export interface KeptAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly etag?: string;
  /** The body with what is shown once, for who has the credential of the first request. */
  readonly sealed?: string;
}

/** One try of a request that nobody else tries with its key at the same time. */
export interface Attempt {
  readonly id: Buffer;
  readonly owner: string;
  /** The id of what this request makes, so that a later attempt finds what an earlier one made. */
  readonly newId: string;
  /** An earlier attempt ended without an answer. It may have done everything but answer. */
  readonly isRepeated: boolean;
}

export type BeginOutcome =
  | { readonly kind: 'begun'; readonly attempt: Attempt }
  | { readonly kind: 'answered'; readonly id: Buffer; readonly answer: KeptAnswer }
  | { readonly kind: 'running' }
  | { readonly kind: 'reused' };

const ATTEMPT = Symbol('nestjs-tenancy idempotency attempt');

type AttemptingRequest = ApiRequest & { [ATTEMPT]?: Attempt };

export function setAttempt(request: ApiRequest, attempt: Attempt): void {
  (request as AttemptingRequest)[ATTEMPT] = attempt;
}

/** The attempt of a request with an `Idempotency-Key`; `undefined` for a request without one. */
export const IdempotentAttempt = createParamDecorator(
  (_data: unknown, context: ExecutionContext) =>
    context.switchToHttp().getRequest<AttemptingRequest>()[ATTEMPT],
);
