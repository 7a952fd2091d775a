import { Controller, Get } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { HealthCheck, HealthCheckService } from '@nestjs/terminus';
import { TenantFree } from 'nestjs-tenancy';
import { Public } from 'nestjs-tenancy/access';
import { TenancyHealth } from 'nestjs-tenancy/observability';

@Controller('health')
@TenantFree()
@Public()
@ApiExcludeController()
export class HealthController {
  constructor(
    private readonly checks: HealthCheckService,
    private readonly tenancy: TenancyHealth,
  ) {}

  @Get()
  @HealthCheck()
  check() {
    return this.checks.check([
      () => this.tenancy.registry(),
      () => this.tenancy.template(),
      () => this.tenancy.pool({ maxWaiting: 100 }),
      () => this.tenancy.migrations(),
    ]);
  }
}
