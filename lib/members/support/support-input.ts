import { type FieldProblem, refuseProblems } from '../../common/field-problems';
import { isInteger } from '../../common/options/kinds';
import { isScope } from '../../common/scopes';
import { MAX_SCOPES } from '../member-input';

/** Why somebody wants to enter a tenant, for how long, and what they need. */
export interface SupportInput {
  /** 1 to 500 characters. The tenant reads it. */
  readonly reason: string;
  /** An integer from 1 to 1,440. Default 60. */
  readonly minutes?: number;
  /** What may be done: 1 to 100 scopes. */
  readonly scopes: readonly string[];
}

export const DEFAULT_MINUTES = 60;
export const MAX_MINUTES = 1_440;

/** With its defaults, each scope once. @throws ValidationFailedError naming every bad field */
export function checkSupport({
  reason,
  minutes = DEFAULT_MINUTES,
  scopes,
}: SupportInput): Required<SupportInput> {
  const isList =
    Array.isArray(scopes) && scopes.length > 0 && scopes.length <= MAX_SCOPES && scopes.every(isScope);
  refuseProblems([
    ...occasionProblems(reason, minutes),
    [
      'scopes',
      isList ? undefined : `must be 1 to ${MAX_SCOPES} of resource:action or resource:*, in lower case`,
    ],
  ]);
  return { reason, minutes, scopes: [...new Set(scopes)].sort() };
}

/** What is wrong with why something is to be done, and for how long. */
export function occasionProblems(reason: unknown, minutes: unknown): FieldProblem[] {
  const isSaid = typeof reason === 'string' && reason.trim() !== '';
  const isTime = isInteger(minutes, 1, MAX_MINUTES);
  return [
    ['reason', isSaid ? undefined : 'must say why, in 1 to 500 characters'],
    ['minutes', isTime ? undefined : `must be an integer from 1 to ${MAX_MINUTES}`],
  ];
}
