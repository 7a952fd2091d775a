import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import { fromHeader, TenancyModule, type TenancyOptions, TenantProvisioner } from '../lib/index';
import { SpareRefill } from '../lib/provisioning/spares/spare-refill';
import { generateSchemaName } from '../lib/registry/schema-name';
import { makeLoginOfMany } from './provision-roles';
import { TEMPLATE_DDL, TEMPLATE_MIGRATIONS } from './provision-template';

/** One way to a schema for one more tenant. */
export interface ProvisionVariant {
  readonly name: string;
  /** Before a round, not measured. */
  prepare(): Promise<void>;
  /** The name of the new schema. */
  create(): Promise<string>;
  close(): Promise<void>;
}

/** Spares that wait for a round of sign-ups. */
export const SPARES = 20;

/** The least that PostgreSQL can be asked for: one transaction, one message, nothing read and nothing checked. */
export async function rawBatch(url: string): Promise<ProvisionVariant> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return {
    name: 'raw-batch',
    prepare: () => Promise.resolve(),
    create: async () => {
      const name = generateSchemaName();
      await client.query(
        ['BEGIN', `CREATE SCHEMA ${name}`, `SET LOCAL search_path = ${name}`, ...TEMPLATE_DDL, 'COMMIT'].join(
          ';\n',
        ),
      );
      return name;
    },
    close: () => client.end(),
  };
}

export async function coldClone(url: string): Promise<ProvisionVariant> {
  const app = await startApp(url);
  return {
    name: 'cold-clone',
    prepare: () => Promise.resolve(),
    create: () => signUp(app),
    close: () => app.close(),
  };
}

/** The same with `roles: true`: the tenant gets a PostgreSQL role and its rights, in the same transaction. */
export async function coldCloneWithRoles(url: string, schemas: number): Promise<ProvisionVariant> {
  const login = await makeLoginOfMany(url, schemas);
  const app = await startApp(url, { roles: true, database: { url: login.url, adminUrl: url } });
  return {
    name: 'cold-with-roles',
    prepare: () => Promise.resolve(),
    create: () => signUp(app),
    close: async () => {
      await app.close();
      await login.drop();
    },
  };
}

/** Spares are made by another instance, so that the sign-ups are measured alone. */
export async function warmSpare(url: string): Promise<ProvisionVariant> {
  const app = await startApp(url);
  const filler = await startApp(url, { spares: { count: SPARES, refillConcurrency: 2 } });
  return {
    name: 'warm-spare',
    prepare: () => filler.get(SpareRefill).refill(),
    create: () => signUp(app),
    close: async () => {
      await filler.close();
      await app.close();
    },
  };
}

/** As it is done without a template: the migrations run again, over a connection whose path is the new schema. */
export async function migrationsRerun(url: string): Promise<ProvisionVariant> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return {
    name: 'migrations',
    prepare: () => Promise.resolve(),
    create: async () => {
      const name = generateSchemaName();
      await client.query(`CREATE SCHEMA ${name}`);
      const dataSource = new DataSource({
        type: 'postgres',
        url,
        schema: name,
        migrations: TEMPLATE_MIGRATIONS,
        installExtensions: false,
        poolSize: 1,
        extra: { options: `-c search_path=${name}` },
      });
      await dataSource.initialize();
      await dataSource.runMigrations();
      await dataSource.destroy();
      return name;
    },
    close: () => client.end(),
  };
}

export const PROVISION_VARIANTS = [rawBatch, coldClone, coldCloneWithRoles, warmSpare, migrationsRerun];

function startApp(url: string, options: Partial<TenancyOptions> = {}): Promise<INestApplicationContext> {
  const module = TenancyModule.forRoot({
    database: { url },
    entities: [],
    migrations: TEMPLATE_MIGRATIONS,
    resolvers: [fromHeader('x-tenant-id')],
    sweeper: { intervalMs: 0 },
    ...options,
  });
  return NestFactory.createApplicationContext(module, { logger: ['error'], abortOnError: false });
}

async function signUp(app: INestApplicationContext): Promise<string> {
  const slug = generateSchemaName().replace('_', '-');
  return (await app.get(TenantProvisioner).create({ slug })).schemaName;
}
