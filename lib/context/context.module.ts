import { Module } from '@nestjs/common';
import { TenantContext } from './tenant-context';

/** For whom the current code runs. */
@Module({ providers: [TenantContext], exports: [TenantContext] })
export class ContextModule {}
