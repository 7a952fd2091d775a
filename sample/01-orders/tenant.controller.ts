import { Controller, Get } from '@nestjs/common';
import { CurrentTenant, type Tenant } from 'nestjs-tenancy';

@Controller('tenant')
export class TenantController {
  @Get()
  current(@CurrentTenant() { id, slug, name }: Tenant) {
    return { id, slug, name };
  }
}
