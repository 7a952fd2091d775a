import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Application } from './application';
import { Confirmation } from './confirmation';
import { DoctorCommand } from './doctor/doctor.command';
import { DriftCommand } from './drift.command';
import { EventsCommand } from './events/events.command';
import { ExecCommand } from './exec.command';
import { InitCommand } from './init/init.command';
import { Interrupts } from './interrupts';
import { KeyCommand } from './key/key.command';
import { MembersCommand } from './members/members.command';
import { MigrateCommand } from './migrate/migrate.command';
import { MoveCommand } from './move/move.command';
import { MovesCommand } from './move/moves.command';
import { Program } from './program';
import { Progress } from './progress';
import { ServersCommand } from './servers.command';
import { SparesCommand } from './spares.command';
import { TenantCommand } from './tenant/tenant.command';
import { ExportCommand } from './transfer/export.command';
import { ImportCommand } from './transfer/import.command';
import { SupportCommand } from './support/support.command';
import { Terminal } from './terminal';
import { TimersCommand } from './timers.command';
import { WebhooksCommand } from './webhooks/webhooks.command';

/** The commands, and what they share. The user's application is a separate one, which `Application` starts. */
@Global()
@Module({})
export class CliModule {
  static on(terminal: Terminal): DynamicModule {
    return {
      module: CliModule,
      providers: [
        { provide: Terminal, useValue: terminal },
        Application,
        Confirmation,
        Interrupts,
        Progress,
        Program,
        InitCommand,
        ...TenantCommand.registerWithSubCommands(),
        ...KeyCommand.registerWithSubCommands(),
        ...MembersCommand.registerWithSubCommands(),
        ...MigrateCommand.registerWithSubCommands(),
        ...SupportCommand.registerWithSubCommands(),
        DriftCommand,
        ExecCommand,
        ExportCommand,
        ImportCommand,
        MoveCommand,
        ...MovesCommand.registerWithSubCommands(),
        SparesCommand,
        ServersCommand,
        TimersCommand,
        ...WebhooksCommand.registerWithSubCommands(),
        ...EventsCommand.registerWithSubCommands(),
        DoctorCommand,
      ],
      exports: [Application],
    };
  }
}
