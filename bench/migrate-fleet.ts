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
export const STATEMENT = 'ALTER TABLE item_0 ADD COLUMN added text';

class AddColumn implements MigrationInterface {
  readonly name = 'AddColumn1800000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(STATEMENT);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE item_0 DROP COLUMN added');
  }
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

/** With a logger the application has one migration more, and tells it of its queries. */
export function startApp(url: string, logger?: Logger): Promise<INestApplicationContext> {
  const module = TenancyModule.forRoot({
    database: { url },
    entities: [],
    migrations: [...TEMPLATE_MIGRATIONS, ...(logger ? [AddColumn] : [])],
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
