import 'reflect-metadata';
import { createInterface } from 'node:readline';
import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TenancyModule, type TenancyOptions, TenantProvisioner, type Tenant } from '../../lib';
import type { TestDatabase } from './database';
import { notesOptions } from './notes';

/**
 * Makes tenants with databases of their own, as far as it is told to on stdin, and says on stdout where it is. To be
 * killed then. `filling` stands still while its database is filled, and `filled` until it is told to go on.
 */
const [url, base] = process.argv.slice(2);

let goOn: () => void = () => undefined;
const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));

async function standStill({ slug }: Tenant): Promise<void> {
  console.log(slug);
  await (slug === 'filled' ? mayGoOn : new Promise(() => undefined));
}

function start(changes: Partial<TenancyOptions>): Promise<INestApplicationContext> {
  const options = { database: { url, connectAttempts: 1, ...changes.database }, hooks: { ...changes.hooks } };

  @Module({ imports: [TenancyModule.forRoot(notesOptions({ url } as TestDatabase, options))] })
  class AppModule {}

  return NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
}

async function main(): Promise<void> {
  const filling = await start({ hooks: { onProvision: [standStill] } });
  const creating = await start({ database: { databaseTemplate: base } });
  const make = (app: INestApplicationContext, slug: string) =>
    void app.get(TenantProvisioner).create({ slug }, { place: { isolation: 'database' } });
  createInterface(process.stdin).on('line', (line) => {
    if (line === 'fill') for (const slug of ['filling', 'filled']) make(filling, slug);
    if (line === 'go on') goOn();
    if (line === 'create') make(creating, 'creating');
  });
  console.log('started');
}

void main();
