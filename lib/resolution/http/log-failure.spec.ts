import { Logger } from '@nestjs/common';
import { TenancyUnavailableError } from '../../common/tenancy.errors';
import { ServerUnknownError, TenantMovedError } from '../../placement/placement.errors';
import { TenantNotFoundError } from '../../registry/tenant.errors';
import { logFailure } from './log-failure';

it.each([
  ['what the caller has done wrong', new TenantNotFoundError(), []],
  ['an outage', new TenancyUnavailableError('The registry'), ['error']],
  ['what the log has already', new ServerUnknownError('eu'), []],
  ['a move that came between, which the next try mends', new TenantMovedError(), ['warn']],
])('tells the log of %s as it is worth', (_what, error, levels) => {
  const told: string[] = [];
  const logger = Object.assign(new Logger(), {
    warn: (...lines: unknown[]) => lines.length === 1 && told.push('warn'),
    error: () => told.push('error'),
  });
  logFailure(logger, error);
  expect(told).toEqual(levels);
});
