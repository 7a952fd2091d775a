import { Controller, Get } from '@nestjs/common';
import { TenantFree } from 'nestjs-tenancy';
import { Public } from 'nestjs-tenancy/access';

@Controller('health')
@TenantFree()
@Public()
export class HealthController {
  @Get()
  check() {
    return { status: 'ok' };
  }
}
