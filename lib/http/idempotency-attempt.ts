import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { ApiRequest } from './api-request';

/** An answer, with all that is needed to send it again. */
export interface KeptAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly etag?: string;
  /** The complete body with its secret, sealed for callers who send the credential of the first request. */
  readonly sealed?: string;
}

/** One execution of a request. No other one with the same key runs at the same time. */
export interface Attempt {
  readonly id: Buffer;
  readonly owner: string;
  /** The id for the resource that this request creates, so that a later attempt finds what an earlier one created. */
  readonly newId: string;
  /** Whether an earlier attempt ended without an answer. It may have done all its work. */
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
