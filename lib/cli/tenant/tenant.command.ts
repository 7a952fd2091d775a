import { Command } from 'nest-commander';
import { CommandGroup } from '../command-group';
import { AdoptTenantCommand } from './adopt-tenant.command';
import { CloneTenantCommand } from './clone-tenant.command';
import { CreateTenantCommand } from './create-tenant.command';
import { ListTenantsCommand } from './list-tenants.command';
import { PurgeTenantCommand } from './purge-tenant.command';
import { RenameTenantCommand } from './rename-tenant.command';
import { ShowTenantCommand } from './show-tenant.command';
import {
  ActivateTenantCommand,
  DeleteTenantCommand,
  RestoreTenantCommand,
  SuspendTenantCommand,
} from './tenant-status.commands';

@Command({
  name: 'tenant',
  description: 'make tenants, look at them, and lead them through their life',
  subCommands: [
    CreateTenantCommand,
    ListTenantsCommand,
    ShowTenantCommand,
    RenameTenantCommand,
    SuspendTenantCommand,
    ActivateTenantCommand,
    DeleteTenantCommand,
    RestoreTenantCommand,
    PurgeTenantCommand,
    CloneTenantCommand,
    AdoptTenantCommand,
  ],
})
export class TenantCommand extends CommandGroup {}
