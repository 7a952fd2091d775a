import { Controller, Get, Header, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { TenantFree } from 'nestjs-tenancy';
import { Public } from 'nestjs-tenancy/access';
import { Registry } from 'prom-client';
import { MetricsTokenGuard } from './metrics-token.guard';

/** Asks for no API key, but for a token of its own. */
@Controller('metrics')
@TenantFree()
@Public()
@UseGuards(MetricsTokenGuard)
@ApiExcludeController()
export class MetricsController {
  constructor(private readonly registry: Registry) {}

  @Get()
  @Header('Content-Type', Registry.PROMETHEUS_CONTENT_TYPE)
  metrics(): Promise<string> {
    return this.registry.metrics();
  }
}
