import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { ContextModule } from '../../context/context.module';
import { EndedWork } from './ended-work';
import { ProvisionHooks } from './provision-hooks';
import { TenantEvents } from './tenant-events';
import { TransitionHooks } from './transition-hooks';

const services = [EndedWork, ProvisionHooks, TenantEvents, TransitionHooks];

/** What the application does at the steps of a tenant's life. */
@Module({ imports: [ContextModule, DiscoveryModule], providers: services, exports: services })
export class HooksModule {}
