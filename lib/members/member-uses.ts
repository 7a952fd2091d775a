import { Inject, Injectable, Optional } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { LastUses } from '../access/last-uses';
import { backgroundClock, type Clock, CLOCK } from '../common/clock';
import { TenantContext } from '../context/tenant-context';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { RegistryTime } from '../registry/registry-time';
import { MemberRows } from './member-rows';
import { type CheckedMembersOptions, MEMBERS_OPTIONS } from './members.options';

/** When members were last seen. */
@Injectable()
export class MemberUses extends LastUses {
  constructor(
    @InjectDataSource(REGISTRY_DATA_SOURCE) registry: DataSource,
    rows: MemberRows,
    time: RegistryTime,
    context: TenantContext,
    @Inject(MEMBERS_OPTIONS) { lastSeenIntervalMs: intervalMs }: CheckedMembersOptions,
    @Optional() @Inject(CLOCK) clock: Clock = backgroundClock,
  ) {
    const write: (typeof rows)['recordUses'] = (transaction, uses) => rows.recordUses(transaction, uses);
    super({ what: 'lastSeenAt of members', intervalMs, registry, time, context, clock, write });
  }
}
