import { Injectable, Module, type Type } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, type Repository } from 'typeorm';
import { InjectTenantRepository, TenancyModule } from '../../lib';
import { ApiKeys } from '../../lib/access';
import { TenancyHealth } from '../../lib/observability';
import { TenantSettings } from '../../lib/settings';
import { TenantUsage } from '../../lib/usage';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Note, notesOptions } from '../support/notes';
import { codeSpans } from '../support/readme';
import { startTestApp } from '../support/test-app';

@Injectable()
class ForgetsFeature {
  constructor(@InjectTenantRepository(Note) readonly notes: Repository<Note>) {}
}

@Injectable()
class AsksForPlainRepository {
  constructor(@InjectRepository(Note) readonly notes: Repository<Note>) {}
}

/** A service that injects `dependency` by its class. */
function asksFor(dependency: Type): Type {
  @Injectable()
  class Asks {
    constructor(readonly it: object) {}
  }
  Reflect.defineMetadata('design:paramtypes', [dependency], Asks);
  return Asks;
}

describe('docs/errors.md, what Nest tells', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  it.each<[string, Type, boolean?]>([
    ['"tenancy_OrderRepository"', ForgetsFeature],
    ['"OrderRepository"', AsksForPlainRepository],
    ['DataSource', AsksForPlainRepository, true],
    ['DataSource', asksFor(DataSource)],
    ['ApiKeys', asksFor(ApiKeys)],
    ['TenantSettings', asksFor(TenantSettings)],
    ['TenantUsage', asksFor(TenantUsage)],
    ['TenancyHealth', asksFor(TenancyHealth)],
  ])('names %s, as the page does', async (named, service, withTypeOrm = false) => {
    @Module({ imports: withTypeOrm ? [TypeOrmModule.forFeature([Note])] : [], providers: [service] })
    class FeatureModule {}
    const imports = [TenancyModule.forRoot(notesOptions(database)), FeatureModule];
    expect(codeSpans('docs/errors.md')).toContain(named);
    await expect(startTestApp({ imports })).rejects.toThrow(
      `Please make sure that the argument ${named.replace('Order', 'Note')} at index [0] is available`,
    );
  });
});
