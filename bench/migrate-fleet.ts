import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Logger, MigrationInterface, QueryRunner } from 'typeorm';
import { fromHeader, TenancyModule, TenantProvisioner } from '../lib/index';
import type { Row } from './bench';
import type { DatabaseContents } from './bench-database';
import { queryAt } from './bench-server';
import { median, rounded } from './measure';
import { TEMPLATE_DDL, TEMPLATE_MIGRATIONS } from './provision-template';

export const TENANTS = 1_000;

/**
 * The tables that are altered, each turn another one. A table keeps the columns that were dropped, so one that is altered again
 * and again makes the statement dearer, and what is compared with it cheaper.
 */
export class AlteredTables {
  #turn = 0;

  private constructor(private readonly tables: readonly string[]) {}

  /** Those first that were altered least, in a database that was kept from an earlier run. */
  static async of(url: string): Promise<AlteredTables> {
    const found = await queryAt<{ name: string }>(
      url,
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'template'::regnamespace AND relname ~ '^item_[0-9]+$'
       ORDER BY relnatts, relname`,
    );
    return new AlteredTables(found.map(({ name }) => name));
  }

  get current(): string {
    return this.tables[this.#turn % this.tables.length];
  }

  next(): void {
    this.#turn++;
  }

  /** @param schema default: the first one of the path */
  add(schema?: string): string {
    return `ALTER TABLE ${this.#named(schema)} ADD COLUMN added text`;
  }

  drop(schema?: string): string {
    return `ALTER TABLE ${this.#named(schema)} DROP COLUMN added`;
  }

  #named(schema: string | undefined): string {
    return schema === undefined ? this.current : `${schema}.${this.current}`;
  }
}

function addColumn(tables: AlteredTables) {
  return class implements MigrationInterface {
    readonly name = 'AddColumn1800000000000';

    async up(queryRunner: QueryRunner): Promise<void> {
      await queryRunner.query(tables.add());
    }

    async down(queryRunner: QueryRunner): Promise<void> {
      await queryRunner.query(tables.drop());
    }
  };
}

/** A fleet of tenants of 30 tables, made as an application makes them. */
export function fleetDatabase(progress: (line: string) => void): DatabaseContents {
  return {
    name: 'migrate',
    description: `${TENANTS} tenants of ${TEMPLATE_DDL.length} statements in a registry`,
    build: (url) => build(url, progress),
  };
}

async function build(url: string, progress: (line: string) => void): Promise<void> {
  const app = await startApp(url);
  const numbers = Array.from({ length: TENANTS }, (_, i) => i).values();
  const worker = async () => {
    for (const number of numbers) {
      await app.get(TenantProvisioner).create({ slug: `tenant-${number}` });
      if (number % 100 === 99) progress(`${number + 1} tenants`);
    }
  };
  await Promise.all([worker(), worker()]);
  await app.close();
  // Now, so that autovacuum does not come in the middle of a round.
  await queryAt(url, 'VACUUM (ANALYZE)');
}

/** With tables to alter the application has one migration more. */
export function startApp(
  url: string,
  tables?: AlteredTables,
  logger?: Logger,
): Promise<INestApplicationContext> {
  const module = TenancyModule.forRoot({
    // A session that is replaced takes its CPU time along.
    database: { url, maxTenantsPerConnection: 0 },
    entities: [],
    migrations: [...TEMPLATE_MIGRATIONS, ...(tables ? [addColumn(tables)] : [])],
    resolvers: [fromHeader('x-tenant-id')],
    sweeper: { intervalMs: 0 },
    typeorm: { logger, logging: logger ? ['query'] : false },
  });
  return NestFactory.createApplicationContext(module, { logger: ['error'], abortOnError: false });
}

/** An operation is a tenant; the times are those of whole runs. */
export function rowOf(variant: string, samples: readonly number[]): Row {
  return {
    variant,
    opsPerSecond: rounded((TENANTS / median(samples)) * 1_000),
    p50Ms: rounded(median(samples)),
    p99Ms: rounded(Math.max(...samples)),
  };
}
