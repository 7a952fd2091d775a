import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { TenantContext } from 'nestjs-tenancy';
import { SummariesService } from './summaries.service';

const DAY_MS = 86_400_000;

/** Each night, for each tenant. It may run on every instance: what it writes is the same. */
@Injectable()
export class SummariesJob {
  constructor(
    private readonly context: TenantContext,
    private readonly summaries: SummariesService,
  ) {}

  @Cron('5 0 * * *', { name: 'summaries', timeZone: 'UTC', waitForCompletion: true })
  run(): Promise<void> {
    return this.summarize(new Date(Date.now() - DAY_MS));
  }

  /** @throws TenantsFailedError with the tenants for which it failed; it is done for all others */
  async summarize(date: Date): Promise<void> {
    const day = date.toISOString().slice(0, 'yyyy-mm-dd'.length);
    await this.context.eachTenant(() => this.summaries.write(day), { concurrency: 2 });
  }
}
