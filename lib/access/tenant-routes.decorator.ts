import { applyDecorators, UseGuards, UseInterceptors, UsePipes } from '@nestjs/common';
import { AcceptedGuard } from '../http/accepted.guard';
import { ApiValidationPipe } from '../http/api-validation.pipe';
import { FieldsInterceptor } from '../http/fields.interceptor';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor';
import { PrincipalCallerGuard } from './principal-caller.guard';

/**
 * What all controllers share by which a tenant's principals change what is its own, in this order: the caller, the kind of
 * request, idempotency, fields.
 */
export const TenantRoutes = () =>
  applyDecorators(
    UseGuards(PrincipalCallerGuard, AcceptedGuard),
    UseInterceptors(IdempotencyInterceptor, FieldsInterceptor),
    UsePipes(ApiValidationPipe),
  );
