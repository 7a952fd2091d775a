import { Injectable, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Spares } from '../provisioning/spares/spares';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { Template } from '../provisioning/template/template';
import { type ResolvedTenancyOptions, TENANCY_OPTIONS } from '../options/tenancy.options';

/** Schemas that wait for tenants. */
export interface SpareCounts {
  readonly wanted: number;
  /** Of the template as it is now. */
  readonly ready: number;
  /** Of an older one: they are about to be replaced. */
  readonly stale: number;
}

/** Counts the spares. */
@Injectable()
export class SpareState {
  constructor(private readonly moduleRef: ModuleRef) {}

  async read(): Promise<SpareCounts> {
    const find = <T>(token: Type<T> | symbol): T => this.moduleRef.get<T>(token, { strict: false });
    const [spares, template] = [find(Spares), find(Template)];
    const { spares: options } = find<ResolvedTenancyOptions>(TENANCY_OPTIONS);
    const found = await find(SystemTransactions).run(async (manager) => {
      await template.lockShared(manager);
      return spares.count(manager, (await template.current(manager)).version);
    });
    return { wanted: options.count, ...found };
  }
}
