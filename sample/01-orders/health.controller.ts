import { Controller, Get } from '@nestjs/common';
import { TenantFree } from 'nestjs-tenancy';

@Controller('health')
@TenantFree()
export class HealthController {
  @Get()
  check() {
    return { status: 'ok' };
  }
}
