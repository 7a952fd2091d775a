import { ConfigurableModuleBuilder, Global, Module, type Type } from '@nestjs/common';
import { checkedProviders } from '../common/module-check';
import { givenExtras, optionsProvider } from '../common/options/options-provider';
import { TENANCY } from '../tenancy.module';
import { FileLinks } from './file-links';
import { FileLinksController } from './file-links.controller';
import { FilesInTheMaking } from './files-in-the-making';
import { FilesOfTenants } from './files-of-tenants';
import { InvalidFilesOptionsError } from './files.errors';
import {
  CheckedFilesExtras,
  CheckedFilesOptions,
  FILES_OPTIONS,
  type TenancyFilesExtras,
  type TenancyFilesOptions,
} from './files.options';
import { TenantFiles } from './tenant-files';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<TenancyFilesOptions>()
  .setClassMethodName('forRoot')
  .setExtras<TenancyFilesExtras>(new CheckedFilesExtras(), (definition, extras) => ({
    ...definition,
    providers: [...(definition.providers ?? []), givenExtras(extras)],
    controllers: extras.routes ? [FileLinksController] : [],
  }))
  .build();

/** Files for each tenant. Import it once, beside `TenancyModule`. */
@Global()
@Module({
  providers: checkedProviders(
    (): Type => TenancyFilesModule,
    MODULE_OPTIONS_TOKEN,
    () => [TENANCY],
    [
      optionsProvider({
        provide: FILES_OPTIONS,
        given: MODULE_OPTIONS_TOKEN,
        declared: CheckedFilesOptions,
        Refusal: InvalidFilesOptionsError,
        extras: CheckedFilesExtras,
      }),
      FileLinks,
      FilesInTheMaking,
      FilesOfTenants,
      TenantFiles,
    ],
  ),
  exports: [TenantFiles],
})
export class TenancyFilesModule extends ConfigurableModuleClass {}
