import { Module } from '@nestjs/common';
import { RegistryModule } from '../../registry/registry.module';
import { Servers } from './servers';

/** The servers beside the one that has the registry. */
@Module({ imports: [RegistryModule], providers: [Servers], exports: [Servers] })
export class ServersModule {}
