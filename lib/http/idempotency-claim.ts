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

/** A request that has its key to itself. */
export interface Claim {
  readonly id: Buffer;
  readonly owner: string;
  /** The id of what this request makes, so that a later attempt finds what an earlier one made. */
  readonly newId: string;
  /** An earlier attempt ended without an answer. It may have done everything but answer. */
  readonly isRepeated: boolean;
}

export type ClaimOutcome =
  | { readonly kind: 'claimed'; readonly claim: Claim }
  | { readonly kind: 'answered'; readonly id: Buffer; readonly answer: KeptAnswer }
  | { readonly kind: 'running' }
  | { readonly kind: 'reused' };

const CLAIM = Symbol('nestjs-tenancy idempotency claim');

type ClaimingRequest = ApiRequest & { [CLAIM]?: Claim };

export function setClaim(request: ApiRequest, claim: Claim): void {
  (request as ClaimingRequest)[CLAIM] = claim;
}

/** The claim under which a request with an `Idempotency-Key` runs; `undefined` for one without. */
export const IdempotencyClaim = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<ClaimingRequest>()[CLAIM],
);
