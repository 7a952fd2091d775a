import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { principalOf } from '../../access/request-principal';
import { arrivalOf, requestOf } from '../../context/handler-call';
import type { ApiRequest } from '../../http/api-request';
import { SupportSessions } from './support-sessions';

/** RFC 9110, 9.2.1. */
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS', 'TRACE'];

/**
 * Records what a support session does, before it is done: what cannot be recorded is refused. Every GraphQL operation comes by
 * POST, and so counts as one that writes.
 */
@Injectable()
export class SupportGuard implements CanActivate {
  constructor(
    config: ApplicationConfig,
    private readonly sessions: SupportSessions,
  ) {
    // Behind the guard that knows who calls, and that lets in who may.
    config.getGlobalGuards().push(this);
  }

  /**
   * @throws SupportEndedError when the session has ended since it was read
   * @throws TenancyUnavailableError when it cannot be recorded
   */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (arrivalOf(context) !== 'http') return true;
    const request = requestOf(context);
    const principal = principalOf(request);
    const { support, tenantId } = principal ?? {};
    if (!support || tenantId === undefined) return true;
    const { method, originalUrl, url = '' } = request as unknown as ApiRequest;
    const isWrite = !SAFE_METHODS.includes(method);
    if (!isWrite && support.isUsed) return true;
    const path = (originalUrl ?? url).split('?')[0];
    await this.sessions.recordUse(tenantId, support.session, isWrite ? { method, path } : undefined);
    return true;
  }
}
