import { applyDecorators, SetMetadata, UseGuards, UseInterceptors, UsePipes } from '@nestjs/common';
import { Public } from '../http/public-route.decorator';
import { TenantFree } from '../resolution/http/tenant-route.decorator';
import { AcceptedGuard } from '../http/accepted.guard';
import { ApiValidationPipe } from '../http/api-validation.pipe';
import { FieldsInterceptor } from '../http/fields.interceptor';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor';
import { ADMIN_RESOURCE, type AdminResource } from './admin-resource';
import { MasterKeyGuard } from './master-key.guard';

/** What all controllers of the admin API share, in this order: the key, the kind of request, idempotency, fields. */
export const AdminRoutes = (resource: AdminResource) =>
  applyDecorators(
    SetMetadata(ADMIN_RESOURCE, resource),
    TenantFree(),
    Public(),
    UseGuards(MasterKeyGuard, AcceptedGuard),
    UseInterceptors(IdempotencyInterceptor, FieldsInterceptor),
    UsePipes(ApiValidationPipe),
  );
