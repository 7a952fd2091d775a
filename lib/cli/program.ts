import { Injectable } from '@nestjs/common';
import { CommandRunner, InjectCommander } from 'nest-commander';

type Command = Parameters<CommandRunner['setCommand']>[0];

/** The general part of `tenancy --help`. */
@Injectable()
export class Program {
  constructor(@InjectCommander() commander: unknown) {
    (commander as Command)
      .name('tenancy')
      .description('Tenants of a NestJS application: schemas, migrations, checks, backups.')
      .addHelpText('after', EXPLANATION);
  }
}

const EXPLANATION = `
The application is named by --module dist/app.module.js#AppModule, by the variable TENANCY_MODULE, or by
"tenancy": { "module": "dist/app.module.js#AppModule" } in package.json.

Exit codes:
  0    done
  1    something failed
  2    the command line, the module or the options cannot be used
  3    refused: no such tenant, a slug that is taken, a tenant in another state
  4    done, and something needs attention: drift, a problem, tenants in which it failed
  5    PostgreSQL cannot be reached
  6    it destroys something, and nobody said yes (--yes)
  130  interrupted`;
