import { Body, Controller, Get, HttpCode, HttpStatus, Logger, Param, Post, Query } from '@nestjs/common';
import { ValidationFailedError } from '../common/tenancy.errors';
import { Accepts } from '../http/accepted.guard';
import type { DriftReport } from '../migrations/drift-report';
import { FleetDrift } from '../migrations/fleet-drift';
import { FleetMigrator } from '../migrations/fleet-migrator';
import type { MigrationRun } from '../migrations/migration-runs';
import { AdminRoutes } from './admin-routes.decorator';
import { RunNotFoundError } from './admin.errors';
import { DriftQuery, MigrateBody, type StartedRunView } from './migrations.dto';

/** Migrates the fleet to the version of the code, and reports on runs. */
@Controller('admin')
@AdminRoutes('migrations')
export class MigrationsController {
  readonly #logger = new Logger(MigrationsController.name);

  constructor(
    private readonly migrator: FleetMigrator,
    private readonly drift: FleetDrift,
  ) {}

  /** The run continues in this process after the answer. */
  @Post('migrations')
  @HttpCode(HttpStatus.ACCEPTED)
  @Accepts({ body: MigrateBody })
  async start(@Body() { direction, ...options }: MigrateBody): Promise<StartedRunView> {
    const { runId: id, finished } = await this.migrator.start(direction, options).catch((error: unknown) => {
      throw error instanceof RangeError ? refused(error) : error;
    });
    finished.catch((error: unknown) => this.#logger.error(`The migration run ${id} failed.`, error));
    return { id, state: id === null ? 'done' : 'running' };
  }

  @Get('migrations/:run')
  async find(@Param('run') id: string): Promise<MigrationRun> {
    const run = await this.migrator.findRun(id);
    if (!run) throw new RunNotFoundError();
    return run;
  }

  /** With a large fleet it takes some seconds. */
  @Get('drift')
  @Accepts({ query: DriftQuery })
  check(@Query() { tenant, limit }: DriftQuery): Promise<DriftReport> {
    return this.drift.check({ tenants: tenant === undefined ? undefined : [tenant], limit: Number(limit) });
  }
}

/** The message, such as `percents must ascend …`, begins with the name of the field. */
function refused({ message }: RangeError): ValidationFailedError {
  const [field] = message.split(' ');
  return new ValidationFailedError([{ field, message: message.slice(field.length + 1) }]);
}
