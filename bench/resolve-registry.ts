import { randomUUID } from 'node:crypto';
import { NestFactory } from '@nestjs/core';
import { getDataSourceToken } from '@nestjs/typeorm';
import { AbstractLogger, type DataSource, type LogLevel } from 'typeorm';
import { fromHeader, TenancyModule, TenantLookup, type Tenant, TenantStore } from '../lib/index';
import { LOOKUPS_DATA_SOURCE } from '../lib/registry/registry';
import { RegistryLookups } from '../lib/registry/cache/registry-lookup';
import type { CleanUp } from './clean-up';

/** Counts the questions that reach PostgreSQL about tenants; the change feed says other things to it. */
class QuestionCounter extends AbstractLogger {
  questions = 0;

  override logQuery(sql: string): void {
    if (sql.startsWith('SELECT') && sql.includes('"tenants"')) this.questions += 1;
  }

  protected writeLog(_level: LogLevel): void {}
}

/** The registry of an application that has started, with tenants in it. */
export interface BenchRegistry {
  readonly tenants: readonly Tenant[];
  /** Look-ups that remember nothing yet, with the application's own change feed. */
  newLookup(): TenantLookup;
  /** Statements that asked PostgreSQL for tenants since the start. */
  questions(): number;
}

/** `tenant-0` has the domain `shop-0.test`, and so on. Schemas are not made: nobody looks into them. */
export async function openRegistry(
  databaseUrl: string,
  count: number,
  cleanUp: CleanUp,
): Promise<BenchRegistry> {
  const tenancy = TenancyModule.forRoot({
    database: { url: databaseUrl },
    entities: [],
    // Never asked: the bench resolves with resolvers of its own.
    resolvers: [fromHeader('x-tenant-id')],
  });
  const app = await NestFactory.createApplicationContext(tenancy, { logger: false, abortOnError: false });
  cleanUp.add(() => app.close());
  const store = app.get(TenantStore);
  const tenants: Tenant[] = [];
  for (let number = 0; number < count; number++) tenants.push(await store.insert(newTenant(number)));

  const counter = new QuestionCounter();
  Object.assign(app.get<DataSource>(getDataSourceToken(LOOKUPS_DATA_SOURCE)), { logger: counter });
  return {
    tenants,
    newLookup: () => new TenantLookup(store, {}, app.get(RegistryLookups)),
    questions: () => counter.questions,
  };
}

function newTenant(number: number) {
  return {
    id: randomUUID(),
    slug: `tenant-${number}`,
    name: `Tenant ${number}`,
    schemaName: `t_bench${number}`,
    status: 'active',
    domains: [`shop-${number}.test`],
    metadata: {},
    templateVersion: null,
    schemaVersion: null,
  } as const;
}
