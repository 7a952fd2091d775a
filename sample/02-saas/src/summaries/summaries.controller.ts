import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiSecurity, ApiTags } from '@nestjs/swagger';
import { API_KEY_SCHEME, RequireScopes } from 'nestjs-tenancy/access';
import { DailySummary } from './daily-summary.entity';
import { SummariesService } from './summaries.service';

@Controller('summaries')
@ApiTags('Orders')
@ApiSecurity(API_KEY_SCHEME)
export class SummariesController {
  constructor(private readonly summaries: SummariesService) {}

  @Get()
  @RequireScopes('orders:read')
  @ApiOkResponse({ type: [DailySummary] })
  list(): Promise<DailySummary[]> {
    return this.summaries.list();
  }
}
