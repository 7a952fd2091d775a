import { Body, Controller, Get, HttpCode, HttpStatus, Param, Post } from '@nestjs/common';
import { Accepts } from '../http/accepted.guard';
import { ChangeRequest, type RequestedChange } from '../http/requested-change';
import { TenantMover } from '../moves/tenant-mover';
import { AdminRoutes } from './admin-routes.decorator';
import { type MovesView, MoveTenantBody, type MoveView, toMoveView } from './move.dto';
import { TenantConditions } from './tenant-conditions';

/** Moves tenants, and tells how far moves are. */
@Controller('admin')
@AdminRoutes('tenants')
export class MovesController {
  constructor(
    private readonly mover: TenantMover,
    private readonly conditions: TenantConditions,
  ) {}

  /** The move goes on in this process after the answer. */
  @Post('tenants/:tenant/moves')
  @HttpCode(HttpStatus.ACCEPTED)
  @Accepts({ body: MoveTenantBody })
  async begin(
    @Param('tenant') tenant: string,
    @Body() { place, how, verify }: MoveTenantBody,
    @ChangeRequest() change: RequestedChange,
  ): Promise<MoveView> {
    const { reference } = await this.conditions.met(tenant, change);
    return toMoveView(await this.mover.begin(reference, place, { how, verify, actor: change.actor }));
  }

  /** The latest first. */
  @Get('tenants/:tenant/moves')
  async listOf(@Param('tenant') tenant: string): Promise<MovesView> {
    return { data: (await this.mover.list(tenant)).map(toMoveView) };
  }

  /** Those that are under way, the oldest first. */
  @Get('moves')
  async listOpen(): Promise<MovesView> {
    return { data: (await this.mover.listOpen()).map(toMoveView) };
  }

  @Get('moves/:move')
  async find(@Param('move') id: string): Promise<MoveView> {
    return toMoveView(await this.mover.find(id));
  }

  /** It is undone soon after the answer. */
  @Post('moves/:move/cancel')
  @HttpCode(HttpStatus.ACCEPTED)
  async cancel(@Param('move') id: string, @ChangeRequest() { actor }: RequestedChange): Promise<MoveView> {
    return toMoveView(await this.mover.cancel(id, { actor }));
  }
}
