import 'reflect-metadata';
import { PassThrough } from 'node:stream';
import { NestFactory } from '@nestjs/core';
import { Client } from 'pg';
import {
  TenancyModule,
  TenantExport,
  TenantImport,
  TenantLifecycle,
  TenantProvisioner,
  TenantPurge,
} from '../../../lib';
import { SpareRefill } from '../../../lib/provisioning/spare-refill';
import type { TestDatabase } from '../../support/database';
import { notesOptions } from '../../support/notes';
import { StoreElsewhere } from './store-elsewhere';

/** Does one thing to tenants, and is killed in the middle of its n-th statement; with 0 it counts the statements. */
const [url, storeUrl, action, killAt, slug] = process.argv.slice(2);

/** The first refill makes them, at start; what `refill` is counted for are those that are then missing. */
const SPARES = action === 'refill' ? 2 : 0;

const APPLICATION_NAME = 'to-be-killed';

function killAtStatement(): () => number {
  const { query } = Client.prototype as { query: (...args: unknown[]) => unknown };
  let sent = 0;
  Object.assign(Client.prototype, {
    query(this: Client, ...args: unknown[]): unknown {
      const answer = query.apply(this, args);
      // PostgreSQL has the statement, or is about to; nobody waits for its answer.
      if (++sent === Number(killAt)) process.kill(process.pid, 'SIGKILL');
      return answer;
    },
  });
  return () => sent;
}

async function main(): Promise<void> {
  const store = storeUrl === '' ? undefined : await StoreElsewhere.open(storeUrl);
  const app = await NestFactory.createApplicationContext(
    TenancyModule.forRoot(
      notesOptions({ url } as TestDatabase, {
        database: { url, connectAttempts: 1, applicationName: APPLICATION_NAME },
        store,
        sweeper: { intervalMs: 0 },
        spares: { count: SPARES },
      }),
    ),
    { logger: ['error'] },
  );
  const refill = app.get(SpareRefill);
  await refill.refill();
  const work: Record<string, () => Promise<unknown>> = {
    create: () => app.get(TenantProvisioner).create({ slug, domains: [`${slug}.example`] }),
    clone: () => app.get(TenantProvisioner).clone('source', slug),
    adopt: () => app.get(TenantProvisioner).adopt(`legacy_${slug}`, slug),
    // From one to the other, so that it may be killed in either.
    import: () => {
      const pipe = new PassThrough();
      return Promise.all([
        app.get(TenantExport).export('source', pipe),
        app.get(TenantImport).import(pipe, { slug }),
      ]);
    },
    delete: () => app.get(TenantLifecycle).delete(slug),
    purge: () => app.get(TenantPurge).purge(slug),
    // One was taken by somebody else, the other is of an older template.
    refill: async () => {
      await app.get(TenantProvisioner).create({ slug });
      await refill.refill();
    },
  };
  const sent = killAtStatement();
  await work[action]();
  console.log(sent());
  await app.close();
  await store?.close();
}

void main();
