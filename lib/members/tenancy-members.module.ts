import {
  ConfigurableModuleBuilder,
  type DynamicModule,
  Global,
  Module,
  type NestModule,
  type Type,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Memberships } from '../access/memberships';
import { TenancyAccessModule } from '../access/tenancy-access.module';
import { checkedProviders } from '../common/module-check';
import { givenExtras, optionsProvider } from '../common/options/options-provider';
import { HeldResources } from '../context/resource-meter';
import { IdempotencyKeys } from '../http/idempotency-keys';
import { API_PATHS, FastifyBodyFilter, readBodies } from '../http/read-bodies';
import { BringsTables } from '../registry/registry-migrations';
import { TENANCY } from '../tenancy.module';
import { InvitationRows } from './invitations/invitation-rows';
import { Invitations } from './invitations/invitations';
import { InvitedController } from './invitations/invited.controller';
import { TenantInvitationsController } from './invitations/tenant-invitations.controller';
import { KnownMembers } from './known-members';
import { MemberRoles } from './member-roles';
import { MemberRows } from './member-rows';
import { MemberUses } from './member-uses';
import { MembersLock } from './members-lock';
import { InvalidMembersOptionsError } from './members.errors';
import {
  CheckedMembersExtras,
  CheckedMembersOptions,
  MEMBERS_OPTIONS,
  type TenancyMembersExtras,
  type TenancyMembersOptions,
} from './members.options';
import { MEMBERS, MembersService } from './members.service';
import { MyTenantsController } from './my-tenants.controller';
import { documentMembersApi } from './openapi/document-members-api';
import { TenantMembersController, TenantRolesController } from './tenant-members.controller';
import { CreateInvitations1763601660000 } from './migrations/1763601660000-create-invitations';
import { CreateSupportAccess1763601670000 } from './migrations/1763601670000-create-support-access';
import { CreateTenantMembers1763601650000 } from './migrations/1763601650000-create-tenant-members';
import { documentInvitationsApi } from './openapi/document-invitations-api';
import { documentSupportApi } from './openapi/document-support-api';
import { RecoveryController } from './recovery/recovery.controller';
import { RecoveryKeys } from './recovery/recovery-keys';
import { RecoveryRows } from './recovery/recovery-rows';
import { SupportAuthentication } from './support/support-authentication';
import { SupportGuard } from './support/support.guard';
import { SupportRows } from './support/support-rows';
import { SupportSessions } from './support/support-sessions';
import { SupportSweeper } from './support/support-sweeper';
import { TenantSupportController } from './support/tenant-support.controller';

const OPENAPI = Symbol('OPENAPI');
const PATHS = /\/(?:(?:tenant\/)?invitations|tenant\/(?:members|support)|recovery)(?:[/?]|$)/i;

const CONTROLLERS = [
  MyTenantsController,
  TenantMembersController,
  TenantRolesController,
  TenantInvitationsController,
  InvitedController,
  TenantSupportController,
  RecoveryController,
];

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<TenancyMembersOptions>()
    .setClassMethodName('forRoot')
    .setExtras<TenancyMembersExtras>(new CheckedMembersExtras(), (definition, extras) => ({
      ...definition,
      providers: [...(definition.providers ?? []), givenExtras(extras)],
      controllers: extras.routes ? CONTROLLERS : [],
    }))
    .build();

/**
 * Who belongs to which tenant, and what they may do there. Import it once, beside `TenancyModule` and
 * `TenancyAccessModule`.
 */
@BringsTables(
  CreateTenantMembers1763601650000,
  CreateInvitations1763601660000,
  CreateSupportAccess1763601670000,
)
@Global()
@Module({
  providers: checkedProviders(
    (): Type => TenancyMembersModule,
    MODULE_OPTIONS_TOKEN,
    () => [TENANCY, { module: TenancyAccessModule }],
    [
      optionsProvider({
        provide: MEMBERS_OPTIONS,
        given: MODULE_OPTIONS_TOKEN,
        declared: CheckedMembersOptions,
        Refusal: InvalidMembersOptionsError,
        extras: CheckedMembersExtras,
      }),
      MemberRoles,
      MemberRows,
      MembersLock,
      MemberUses,
      KnownMembers,
      { provide: Memberships, useExisting: KnownMembers },
      MembersService,
      {
        provide: HeldResources,
        inject: [MembersService],
        useFactory: (members: MembersService): HeldResources => ({
          held: (metric, tenant) => (metric === MEMBERS ? members.count(tenant) : undefined),
        }),
      },
      InvitationRows,
      Invitations,
      SupportRows,
      SupportAuthentication,
      SupportSessions,
      SupportSweeper,
      SupportGuard,
      RecoveryRows,
      RecoveryKeys,
      IdempotencyKeys,
      FastifyBodyFilter,
      { provide: API_PATHS, useValue: PATHS },
      // Done while Nest makes the providers, so before any document can be created.
      {
        provide: OPENAPI,
        useFactory: () => {
          documentMembersApi();
          documentInvitationsApi();
          documentSupportApi();
        },
      },
    ],
  ),
  exports: [
    MembersService,
    MemberRoles,
    Memberships,
    HeldResources,
    Invitations,
    SupportAuthentication,
    SupportSessions,
    RecoveryKeys,
  ],
})
export class TenancyMembersModule extends ConfigurableModuleClass implements NestModule {
  constructor(private readonly adapterHost: HttpAdapterHost) {
    super();
  }

  /** @throws InvalidMembersOptionsError when the application starts with options that it cannot work with */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  /** Like `forRoot`, with options from a factory, a class or another module. */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return super.forRootAsync(options);
  }

  configure(): void {
    readBodies(this.adapterHost, PATHS);
  }
}
