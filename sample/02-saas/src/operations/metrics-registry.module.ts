import { Module } from '@nestjs/common';
import { Registry } from 'prom-client';

/** One for each application: two in a process, as in tests, must not share theirs. */
@Module({ providers: [{ provide: Registry, useFactory: () => new Registry() }], exports: [Registry] })
export class MetricsRegistryModule {}
