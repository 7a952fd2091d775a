import { Body, Controller, Get, Param, ParseIntPipe, Post } from '@nestjs/common';
import type { Repository } from 'typeorm';
import {
  CurrentTenant,
  InjectTenantRepository,
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantStore,
  TenantTransaction,
} from '../../../lib';
import { Account, Entry } from './shop';

/** Ordinary handlers, and some that fail after they have written. */
@Controller()
export class ShopController {
  constructor(
    private readonly connection: TenantConnection,
    private readonly context: TenantContext,
    private readonly store: TenantStore,
    @InjectTenantRepository(Entry) private readonly entries: Repository<Entry>,
  ) {}

  @Get('accounts')
  accounts() {
    return this.connection.getRepository(Account).find();
  }

  @Get('accounts/:id')
  async account(@Param('id', ParseIntPipe) id: number, @CurrentTenant() tenant: Tenant) {
    return { tenant: tenant.slug, account: await this.connection.getRepository(Account).findOneBy({ id }) };
  }

  @Get('slow-accounts')
  slowAccounts() {
    return this.connection.query('SELECT owner FROM account, pg_sleep(0.005)');
  }

  /** Of two tenants, one inside the other, and the first again. */
  @Get('accounts-beside/:slug')
  async accountsBeside(@Param('slug') slug: string) {
    const before = await this.accounts();
    const other = (await this.store.find({ by: 'slug', value: slug }))!;
    const [theirs, meanwhile] = await Promise.all([
      this.context.run(other, () => this.accounts()),
      this.accounts(),
    ]);
    return { ours: [before, meanwhile, await this.accounts()], theirs };
  }

  @Post('entries')
  async write(@Body('stamp') stamp: string) {
    await this.entries.insert({ stamp });
    return { stamp };
  }

  @Post('entries/all-or-none')
  @TenantTransaction()
  async writeAllOrNone(@Body('stamp') stamp: string) {
    await this.entries.insert({ stamp });
    return { stamp, accounts: await this.accounts() };
  }

  @Post('entries/failing')
  @TenantTransaction()
  async writeAndFail(@Body('stamp') stamp: string) {
    await this.entries.insert({ stamp });
    throw new Error('thrown on purpose');
  }

  @Post('entries/failing-part')
  writeAndFailInside(@Body('stamp') stamp: string) {
    return this.connection.transaction('SERIALIZABLE', async (manager) => {
      await manager.insert(Entry, { stamp });
      await manager.query('SELECT 1/0');
    });
  }
}
