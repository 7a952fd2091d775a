import { Global, Module } from '@nestjs/common';
import { type CheckedTenancyOptions, TENANCY_OPTIONS_CHANGE } from '../../../lib/options/tenancy.options';

/** As the command line starts an application: neither the template nor a shared schema is migrated. */
@Global()
@Module({
  providers: [
    {
      provide: TENANCY_OPTIONS_CHANGE,
      useValue: (options: CheckedTenancyOptions) => ({ ...options, leaveTemplate: true }),
    },
  ],
  exports: [TENANCY_OPTIONS_CHANGE],
})
export class OnlyLooking {}
